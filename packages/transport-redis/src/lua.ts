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
 * `keepOwn(owners, session, lease)`: renews a lease that has ended, of an owner that is there to ask and that nobody has
 * taken over. Returns when it ends, or nothing where that is no owner. Needs `now`.
 *
 * `noteGap(owners, renewed, lease, grace)`: where nobody has renewed any lease for more than half of one, because the server
 * was down or everybody stood still, all that have ended, or soon will, get a little more time, once: their owners may well
 * live. Says whether that was so. Where the clock was put back, they end as much sooner.
 *
 * `expiredOwners(owners, renewed, lease, grace)`: sessions whose lease has ended.
 */
export const expiry = `
local function keepOwn(owners, session, lease)
  local score = redis.call('ZSCORE', owners, session)
  local ends = score and tonumber(score) or nil
  if not ends or ends > now then return ends end
  redis.call('ZREM', owners, '') -- See putBack.
  redis.call('ZADD', owners, now + lease, session)
  return now + lease
end
local function noteGap(owners, renewed, lease, grace)
  local last = tonumber(redis.call('GET', renewed) or 0)
  local isBack, isGap = last > now + 1000, grace > 0 and now - last > lease / 2
  if not isBack and not isGap then return false end
  redis.call('ZREM', owners, '')
  if isBack then
    for _, session in ipairs(redis.call('ZRANGE', owners, 0, -1)) do redis.call('ZINCRBY', owners, now - last, session) end
  else
    for _, session in ipairs(redis.call('ZRANGEBYSCORE', owners, '-inf', now + grace)) do
      redis.call('ZADD', owners, now + grace, session)
    end
  end
  redis.call('SET', renewed, now)
  return isGap
end
local function expiredOwners(owners, renewed, lease, grace)
  local gone = redis.call('ZRANGEBYSCORE', owners, '-inf', now, 'LIMIT', 0, 100)
  if #gone == 0 or not noteGap(owners, renewed, lease, grace) then return gone end
  return {}
end
`

/**
 * `putBack(unacked, index, tag, payload)`: moves a delivery to the front of the list that it came from. Where that is a key of
 * another type it stays held; returns whether it was moved, and what was wrong. Needs `tags`.
 */
export const returning = `
local function putBack(unacked, index, tag, payload)
  local held = heldBy(tag)
  -- Once it has begun to write, which this does and needs no memory, a full server lets a script write more.
  redis.call('SREM', held, '')
  local pushed = redis.pcall('RPUSH', listOf(tag), payload)
  if type(pushed) == 'table' then return false, pushed.err end
  redis.call('HDEL', unacked, tag)
  redis.call('ZREM', index, tag)
  redis.call('SREM', held, tag)
  return true
end
`

/**
 * `moveDue(unacked, index, eta, delayed)`: parked messages that are due go to the front of their lists, the one due first
 * foremost. Where that is a key of another type they stay parked for another minute. Needs `now`, `tags`, `wrapping` and
 * `returning`.
 */
export const due = `
local function moveDue(unacked, index, eta, delayed)
  local due = redis.call('ZRANGEBYSCORE', eta, '-inf', now, 'LIMIT', 0, 100)
  for at = #due, 1, -1 do
    local tag = due[at]
    local queue = queueOf(tag)
    redis.call('ZREM', eta, tag)
    if queue then
      -- Python may have put it back before.
      local value = redis.call('HGET', unacked, tag)
      if not value or putBack(unacked, index, tag, unwrap(value, queue)) then
        if redis.call('HINCRBY', delayed, queue, -1) <= 0 then redis.call('HDEL', delayed, queue) end
      else
        redis.call('ZADD', eta, now + 60000, tag)
      end
    end
  end
  if #due > 0 and redis.call('EXISTS', eta) == 0 then redis.call('DEL', delayed) end
end
`
