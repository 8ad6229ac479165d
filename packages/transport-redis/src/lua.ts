/**
 * Pieces that several scripts share. Each script begins with `P, SEP = ARGV[1], ARGV[2]`: what stands before every key, and
 * between the parts of one.
 */

/** `readClock()`: milliseconds of the server's clock. */
export const lazyClock = `
local function readClock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`

/** `now`: the same, read at the beginning. */
export const clock: string = `${lazyClock}local now = readClock()
`

/**
 * `note(key, ...)`: fields of what a connection has carried out. They are of use to its successor, soon or never, so that
 * only now and then is looked after how long they stay.
 */
export const noting = `
local function note(key, number, ...)
  if redis.call('HSET', key, ...) > 0 or tonumber(number) % 16 == 0 then redis.call('PEXPIRE', key, 3600000) end
end
`

/** `P`, `SEP` */
export const prefix = `local P, SEP = ARGV[1], ARGV[2]
`

/** `listOf(tag)`, `queueOf(tag)`, `heldBy(tag)`: the list and queue a delivery came from, and the set of its owner. */
export const tags: string = `
${prefix}local function queueOf(tag)
  return string.match(tag, '^[^.]*%.%d+%.%d+@(.*)$')
end
local function listOf(tag)
  local step, queue = string.match(tag, '^[^.]*%.%d+%.(%d+)@(.*)$')
  if step == '0' then return P .. queue end
  return P .. queue .. SEP .. step
end
local function heldBy(tag)
  return P .. '_celery.held.' .. (string.match(tag, '^([^.]*)%.') or '')
end
`

/**
 * `wrap(payload, queue)`: what stands in \`unacked\`: \`[envelope, exchange, routing key]\`, as Python writes it, with the
 * envelope as it is. `unwrap(value, queue)`: the envelope, byte for byte, whatever it is.
 */
export const wrapping = `
local endings = {}
local function ending(queue)
  local text = endings[queue]
  if not text then
    text = ', "", ' .. cjson.encode(queue) .. ']'
    endings[queue] = text
  end
  return text
end
local function wrap(payload, queue)
  return '[' .. payload .. ending(queue)
end
local function unwrap(value, queue)
  return string.sub(value, 2, -(#ending(queue) + 1))
end
`

/** `inPortions(command, key, arguments, width)`: a command of many arguments, as several that Lua can still pass on. */
export const portions = `
local function inPortions(command, key, list, width)
  local size = 1000 * width
  for first = 1, #list, size do
    redis.call(command, key, unpack(list, first, math.min(first + size - 1, #list)))
  end
end
`

/**
 * `push(key, queue, payload)`: at the back of a list. Dead letters are wrapped with their time, and only the newest are kept.
 * Needs `queuesKey`.
 */
export const pushing = (maxDead: number): string => `
local declared = {}
local anyDeclared = redis.call('EXISTS', queuesKey) == 1
local function ttlOf(queue)
  if not anyDeclared then return nil end
  if declared[queue] == nil then
    local text = redis.call('HGET', queuesKey, queue)
    declared[queue] = text and cjson.decode(text) or {}
  end
  return declared[queue].messageTtlMs
end
local function dead(payload, reason)
  return '{"at":' .. string.format('%.0f', readClock()) .. ',"reason":' .. reason .. ',"payload":' .. payload .. '}'
end
local function bury(key, payload, reason)
  redis.call('LPUSH', key, dead(payload, reason))
  redis.call('LTRIM', key, 0, ${maxDead - 1})
end
local function push(key, queue, payloads)
  if string.sub(queue, -5) == '.dead' then
    for _, payload in ipairs(payloads) do bury(key, payload, 'null') end
  else
    inPortions('LPUSH', key, payloads, 1)
  end
  local ttl = ttlOf(queue)
  if ttl then redis.call('PEXPIRE', key, ttl) end
end
`

/** `dropAged(key)`: removes dead letters that are too old from the end where the oldest are. Needs `now`. */
export const aging = (maxAgeMs: number): string => `
local function dropAged(key)
  for _ = 1, 1000 do
    local oldest = redis.pcall('LINDEX', key, -1)
    local at = type(oldest) == 'string' and string.match(oldest, '^{"at":(%d+),')
    if not at or tonumber(at) > now - ${maxAgeMs} then return end
    redis.call('RPOP', key)
  end
end
`

/**
 * `expiredOwners(owners, renewed, lease, grace)`: sessions whose lease has ended. Where nobody has renewed any for more than
 * half a lease, because the server was down or everybody stood still, all of them get a little more time, once: their owners
 * may well live. Needs `now`.
 */
export const expiry = `
local function expiredOwners(owners, renewed, lease, grace)
  local gone = redis.call('ZRANGEBYSCORE', owners, '-inf', now, 'LIMIT', 0, 100)
  if #gone == 0 or grace == 0 then return gone end
  local last = tonumber(redis.call('GET', renewed) or 0)
  if now - last <= lease / 2 then return gone end
  for _, session in ipairs(gone) do redis.call('ZADD', owners, now + grace, session) end
  redis.call('SET', renewed, now)
  return {}
end
`

/**
 * `moveDue(unacked, index, eta, delayed)`: parked messages that are due go to the front of their lists, the one due first
 * foremost. Needs `now`, `tags` and `wrapping`.
 */
export const due = `
local function moveDue(unacked, index, eta, delayed)
  local due = redis.call('ZRANGEBYSCORE', eta, '-inf', now, 'LIMIT', 0, 100)
  for at = #due, 1, -1 do
    local tag = due[at]
    local value = redis.call('HGET', unacked, tag)
    redis.call('ZREM', eta, tag)
    redis.call('HINCRBY', delayed, queueOf(tag), -1)
    -- Python may have put it back before.
    if value then
      redis.call('RPUSH', listOf(tag), unwrap(value, queueOf(tag)))
      redis.call('HDEL', unacked, tag)
      redis.call('ZREM', index, tag)
    end
  end
  if #due > 0 and redis.call('EXISTS', eta) == 0 then redis.call('DEL', delayed) end
end
`
