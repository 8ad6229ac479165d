/**
 * Celery's chord counters, with a fourth key of our own beside them:
 *
 *     <group>.j            the parts: a sorted set by index, or a list (Celery 4.3, `result_chord_ordered: false`)
 *     <group>.s            how many there are (Celery 5.1 and later)
 *     <group>.t            how many more were added
 *     <group>._celery      hash; `begun` that we recorded parts, `m:<task>` state of a part that we recorded, `a:<task>` a part that we added, `last` the task
 *                          whose part completed the chord, `done` that the body was sent
 *
 * Python workers may record some of the parts, complete the chord, and delete the first three.
 */
import { type RedisScript, redisScript } from '@celery/redis'

/** KEYS: .t, ._celery. ARGV: milliseconds to live (0 for ever), tasks. Returns nothing. */
export const extendChord: RedisScript = redisScript(`
local added = 0
for i = 2, #ARGV do added = added + redis.call('HSETNX', KEYS[2], 'a:' .. ARGV[i], '1') end
if added > 0 then redis.call('INCRBY', KEYS[1], added) end
if ARGV[1] ~= '0' then
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
end
`)

/**
 * KEYS: .j, .s, .t, ._celery.
 * ARGV: task, state, member, score, milliseconds to live (0 for ever), size or nothing, layout: 'zset', 'list' or nothing.
 * Returns all members if this part completed the chord, else nothing.
 */
export const recordChordPart: RedisScript = redisScript(`
local parts, size_key, added_key, own = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local task, state, member, score, ttl, size, layout = unpack(ARGV)

local last = redis.call('HGET', own, 'last')
if redis.call('HEXISTS', own, 'done') == 1 or (last and last ~= task) then return nil end

local total = redis.call('GET', size_key) or (size ~= '' and size)
local kind = redis.call('TYPE', parts).ok
if kind == 'none' then
  -- The parts that were there went with the chord, which Python has completed.
  if redis.call('HEXISTS', own, 'begun') == 1 then return nil end
  -- Whoever tells the size in the signature, and not in its key, is older than the sorted set.
  kind = layout
  if kind == '' then kind = (size ~= '' and redis.call('EXISTS', size_key) == 0) and 'list' or 'zset' end
end

local function members()
  if kind == 'list' then return redis.call('LRANGE', parts, 0, -1) end
  return redis.call('ZRANGE', parts, 0, -1)
end

-- A part that Python recorded is found by its task's id among those of the same index, which are few.
local function recorded_by_others()
  if kind == 'list' or score == '+inf' or #task < 16 then return false end
  for _, found in ipairs(redis.call('ZRANGEBYSCORE', parts, score, score)) do
    if string.find(found, task, 1, true) then return true end
  end
  return false
end

local before = redis.call('HGET', own, 'm:' .. task)
local was_failure = before and string.sub(before, 1, 8) == 'FAILURE '
if was_failure and state == 'SUCCESS' then
  local failed = string.sub(before, 9)
  if kind == 'list' then redis.call('LREM', parts, 1, failed) else redis.call('ZREM', parts, failed) end
  before = false
elseif not before and recorded_by_others() then
  before = 'by others'
end

if not before then
  if kind == 'list' then redis.call('RPUSH', parts, member) else redis.call('ZADD', parts, score, member) end
  -- A failure may have to be taken out again.
  redis.call('HSET', own, 'begun', '1', 'm:' .. task, state == 'FAILURE' and 'FAILURE ' .. member or state)
end
-- Parts of a size that nobody knows complete nothing: they came after the end.
if ttl == '0' and not total then ttl = '86400000' end
if ttl ~= '0' then
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl) end
end

if not last then
  if before or not total then return nil end
  local count = redis.call(kind == 'list' and 'LLEN' or 'ZCARD', parts)
  if count < tonumber(total) + tonumber(redis.call('GET', added_key) or 0) then return nil end
  redis.call('HSET', own, 'last', task)
end
return members()
`)

/** KEYS: .j, .s, .t, ._celery. ARGV: milliseconds for which a part that comes late is known to be late. */
export const endChord: RedisScript = redisScript(`
redis.call('DEL', unpack(KEYS))
redis.call('HSET', KEYS[4], 'done', '1')
redis.call('PEXPIRE', KEYS[4], ARGV[1])
`)
