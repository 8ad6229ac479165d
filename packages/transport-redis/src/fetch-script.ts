import { type RedisScript, redisScript } from '@celery/redis'
import { deadLetterLimits } from '@celery/transport'
import { shortestTag } from './keys.ts'
import { clock } from './lua/clock.ts'
import { aging } from './lua/dead-letters.ts'
import { wrapping } from './lua/entries.ts'
import { expiry } from './lua/leases.ts'
import { due } from './lua/parked.ts'
import { portions } from './lua/portions.ts'
import { returning } from './lua/returning.ts'
import { tags } from './lua/tags.ts'

/**
 * Moves messages from their lists into \`unacked\`, in one step: a message is never outside both.
 *
 * KEYS: unacked, index, held, owners, eta, delayed, settled of the connection, renewed, then the lists: for each step those of all queues.
 * ARGV: prefix, separator, session, lease, grace, how many, count of the first, whether owners whose lease has
 * ended come first, number of queues, queues, steps.
 *
 * Returns `{-1}` where this connection was given up and the call comes late, else `{number of expired owners, milliseconds
 * until something may change by itself or -1, then for each list that gave something: queue (from 0), step, {payloads}}`. Where there are expired owners it has taken nothing.
 */
export const fetchScript: RedisScript = redisScript(`
${tags}${clock}${wrapping}${portions}${expiry}${returning}${due}${aging(deadLetterLimits.messageTtlMs)}
local unacked, index, held, owners, eta, delayed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local session, lease, left, count = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[6]), tonumber(ARGV[7])
local queues = tonumber(ARGV[9])
if redis.call('HEXISTS', KEYS[7], 'closed') == 1 then return { -1 } end

-- Whoever asks is there, however long it stood still, and what it holds is being worked on.
local ends = keepOwn(owners, session, lease)
if ARGV[8] == '1' then
  local gone = #expiredOwners(owners, KEYS[8], lease, tonumber(ARGV[5]))
  if gone > 0 then return { gone, 0 } end
end

moveDue(unacked, index, eta, delayed)

local reply = { 0, -1 }
local first = count
local problem = nil
local function take(list, queue, step, most)
  if string.sub(ARGV[9 + queue], -5) == '.dead' then dropAged(list) end
  local payloads = redis.pcall('RPOP', list, most)
  if not payloads then return 0 end
  if payloads.err then
    problem = payloads
    return 0
  end
  local name = ARGV[9 + queue]
  local tagEnd, valueEnd = '.' .. step .. '@' .. name, ending(name)
  local width = '%0' .. math.max(1, ${shortestTag} - #session - #name - 4) .. '.0f'
  -- Whole seconds: numbers that a small set compares fast.
  local score = math.floor(now / 1000)
  local values, scores, members = {}, {}, {}
  for _, payload in ipairs(payloads) do
    local tag = session .. '.' .. string.format(width, count) .. tagEnd
    count = count + 1
    values[#values + 1] = tag
    values[#values + 1] = '[' .. payload .. valueEnd
    -- What cannot be JSON would break whoever of Python's looks for old messages.
    if string.byte(payload, 1) == 123 and string.byte(payload, -1) == 125 then
      scores[#scores + 1] = score
      scores[#scores + 1] = tag
    end
    members[#members + 1] = tag
  end
  local done, wrong = pcall(function()
    inPortions('HSET', unacked, values, 2)
    inPortions('ZADD', index, scores, 2)
    inPortions('SADD', held, members, 1)
  end)
  if not done then
    -- A key of another type: as if nothing had been taken.
    problem = type(wrong) == 'table' and wrong or { err = tostring(wrong) }
    count = count - #payloads
    for at = #payloads, 1, -1 do
      redis.call('RPUSH', list, payloads[at])
      redis.pcall('HDEL', unacked, members[at])
      redis.pcall('ZREM', index, members[at])
      redis.pcall('SREM', held, members[at])
    end
    return 0
  end
  reply[#reply + 1] = queue - 1
  reply[#reply + 1] = tonumber(step)
  reply[#reply + 1] = payloads
  left = left - #payloads
  return #payloads
end

-- By priority; of one priority every queue gets its share, and then what is left.
local key = 8
for at = 10 + queues, #ARGV do
  local share = math.max(1, math.floor(left / queues))
  local full = {}
  for queue = 1, queues do
    if left > 0 then
      local most = math.min(share, left)
      full[queue] = take(KEYS[key + queue], queue, ARGV[at], most) == most
    end
  end
  for queue = 1, queues do
    if left > 0 and full[queue] then take(KEYS[key + queue], queue, ARGV[at], left) end
  end
  key = key + queues
end

if count > first then
  if not ends or ends < now + lease / 2 then redis.call('ZADD', owners, now + lease, session) end
  return reply
end
-- A key of another type keeps nobody from the other queues.
if problem then return problem end
local nextDue = redis.call('ZRANGE', eta, 0, 0, 'WITHSCORES')[2]
local nextEnd = redis.call('ZRANGE', owners, 0, 0, 'WITHSCORES')[2]
local soonest = math.min(tonumber(nextDue or 1e15), tonumber(nextEnd or 1e15))
if soonest < 1e15 then reply[2] = math.max(0, soonest - now) end
return reply
`)
