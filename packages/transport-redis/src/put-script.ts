import { type RedisScript, redisScript } from '@celery/redis'
import { deadLetterLimits } from '@celery/transport'
import { lazyClock } from './lua/clock.ts'
import { portions } from './lua/portions.ts'
import { pushing } from './lua/pushing.ts'
import { prefix } from './lua/tags.ts'

/**
 * Puts messages at the back of their lists, each list whole or not at all, and notes that it did: the number of the call, and
 * after it the numbers of the lists that could not be written, if any.
 *
 * KEYS: put of the connection, queues.
 * ARGV: prefix, separator, number of this call, then for each list: its key, queue, how many, payloads.
 *
 * Returns `'closed'` where somebody has decided that this call never happens, else `{list (from 0), error}` for each list
 * that could not be written.
 */
export const putScript: RedisScript = redisScript(`
${prefix}${lazyClock}${portions}
local queuesKey = KEYS[2]
${pushing(deadLetterLimits.maxMessages)}
${noteCall('ARGV[3]')}
local failed, failedLists = {}, ''
local at, list = 4, 0
while at <= #ARGV do
  local key, queue, size = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local payloads = {}
  for position = 1, size do payloads[position] = ARGV[at + 2 + position] end
  local done, problem = pcall(push, key, queue, payloads)
  if not done then
    failed[#failed + 1] = { list, type(problem) == 'table' and problem.err or tostring(problem) }
    failedLists = failedLists .. ' ' .. list
  end
  at = at + 3 + size
  list = list + 1
end
if failedLists ~= '' then ${note('ARGV[3] .. failedLists')} end
return failed
`)

/**
 * The same for messages of one list whose messages stay, which nearly all are. KEYS: put of the connection, queues, the list.
 * ARGV: number of this call, queue, payloads. Returns nothing, `'closed'`, or `'timed'` where the queue may have a time to live.
 */
export const putPlainScript: RedisScript = redisScript(`
if redis.call('EXISTS', KEYS[2]) == 1 then
  local declared = redis.pcall('HGET', KEYS[2], ARGV[2])
  -- The other script reads it, or says why it cannot.
  if type(declared) == 'table' or declared and string.find(declared, 'messageTtlMs', 1, true) then return 'timed' end
end
${noteCall('ARGV[1]')}
local reply
if not ARGV[4] then
  reply = redis.pcall('LPUSH', KEYS[3], ARGV[3])
else
  for first = 3, #ARGV, 1000 do
    reply = redis.pcall('LPUSH', KEYS[3], unpack(ARGV, first, math.min(first + 999, #ARGV)))
    -- It can only be the first of them.
    if type(reply) == 'table' then break end
  end
end
if type(reply) == 'table' then
  ${note("ARGV[1] .. ' 0'")}
  return reply
end
`)

/** Notes the number of the call, first of all: on a full server that fails, and nothing has happened. */
function noteCall(number: string): string {
  return `
if ${note(number, ", 'GET'")} == 'closed' then
  ${note("'closed'")}
  return 'closed'
end
`
}

function note(text: string, more = ''): string {
  return `redis.call('SET', KEYS[1], ${text}, 'PX', '3600000'${more})`
}
