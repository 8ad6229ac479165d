import { type RedisScript, redisScript } from '@celery/redis'
import { deadLetterLimits } from '@celery/transport'
import { aging, clock, due, returning, tags, wrapping } from './lua.ts'

/**
 * Runs one command, on a full server as well: what is declared takes little room, and without it no worker could start that
 * empties the queues. KEYS: owners, the key of the command. ARGV: its name and arguments.
 */
export const letInScript: RedisScript = redisScript(`
redis.call('ZREM', KEYS[1], '') -- See putBack.
return redis.call(ARGV[1], KEYS[2], unpack(ARGV, 2))
`)

/**
 * Counts what is in a queue, and notes its declaration where it is not a plain one.
 *
 * KEYS: owners, delayed, queues, used, unacked, index, eta, its lists. ARGV: prefix, separator, queue, declaration or '', expires or ''.
 * Returns how many are ready, delayed and held.
 */
export const declareQueueScript: RedisScript = redisScript(`
${tags}${clock}${wrapping}${returning}${due}${aging(deadLetterLimits.messageTtlMs)}
redis.call('ZREM', KEYS[1], '') -- See putBack.
moveDue(KEYS[5], KEYS[6], KEYS[7], KEYS[2])
local queue = ARGV[3]
if ARGV[4] ~= '' then redis.call('HSETNX', KEYS[3], queue, ARGV[4]) end
if ARGV[5] ~= '' then redis.call('ZADD', KEYS[4], now + tonumber(ARGV[5]), queue) end
if string.sub(queue, -5) == '.dead' then dropAged(KEYS[8]) end
local ready, held = 0, 0
for at = 8, #KEYS do ready = ready + redis.call('LLEN', KEYS[at]) end
local ending = '@' .. queue
for _, session in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  for _, tag in ipairs(redis.pcall('SMEMBERS', P .. '_celery.held.' .. session)) do
    if string.sub(tag, -#ending) == ending and queueOf(tag) == queue then held = held + 1 end
  end
end
return { ready, math.max(0, tonumber(redis.call('HGET', KEYS[2], queue) or 0)), held }
`)

/** Removes what is ready and says how many that were. KEYS: the lists of the queue. */
export const purgeScript: RedisScript = redisScript(`
local ready = 0
for _, key in ipairs(KEYS) do ready = ready + redis.call('LLEN', key) end
redis.call('UNLINK', unpack(KEYS))
return ready
`)

/**
 * Removes a queue with its bindings and what is ready or held of it, and says how many were ready. With a time in ARGV[4]
 * only where it is still unused.
 *
 * KEYS: owners, unacked, index, queues, used, delayed, exchanges, its lists.
 * ARGV: prefix, separator, queue, `1` to ask whether it is still unused.
 */
export const deleteQueueScript: RedisScript = redisScript(`
${tags}${clock}
local queue = ARGV[3]
if ARGV[4] == '1' then
  local at = redis.call('ZSCORE', KEYS[5], queue)
  if not at or tonumber(at) > now then return 0 end
end
local ready = 0
for at = 8, #KEYS do
  ready = ready + redis.call('LLEN', KEYS[at])
  redis.call('UNLINK', KEYS[at])
end
local ending = '@' .. queue
for _, session in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local held = P .. '_celery.held.' .. session
  for _, tag in ipairs(redis.pcall('SMEMBERS', held)) do
    if string.sub(tag, -#ending) == ending and queueOf(tag) == queue then
      redis.call('SREM', held, tag)
      redis.call('HDEL', KEYS[2], tag)
      redis.call('ZREM', KEYS[3], tag)
    end
  end
end
redis.call('HDEL', KEYS[4], queue)
redis.call('ZREM', KEYS[5], queue)
redis.call('DEL', P .. '_celery.consumers.' .. queue)
local bound = SEP .. queue
for _, exchange in ipairs(redis.call('HKEYS', KEYS[7])) do
  local key = P .. '_kombu.binding.' .. exchange
  for _, binding in ipairs(redis.pcall('SMEMBERS', key)) do
    if string.sub(binding, -#bound) == bound then redis.call('SREM', key, binding) end
  end
end
return ready
`)

/** Removes parked messages. KEYS: unacked, index, eta, delayed. ARGV: prefix, separator, queue, tags. */
export const deleteParkedScript: RedisScript = redisScript(`
for at = 4, #ARGV do
  if redis.call('ZREM', KEYS[3], ARGV[at]) == 1 and redis.call('HINCRBY', KEYS[4], ARGV[3], -1) <= 0 then
    redis.call('HDEL', KEYS[4], ARGV[3])
  end
  redis.call('ZREM', KEYS[2], ARGV[at])
  redis.call('HDEL', KEYS[1], ARGV[at])
end
`)

/** Queues that nobody has used for their time. KEYS: used. */
export const unusedScript: RedisScript = redisScript(`
${clock}
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)
`)

/** A queue was used now. KEYS: used. ARGV: prefix, separator, queue, milliseconds. */
export const touchScript: RedisScript = redisScript(`
${clock}
redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[4]), ARGV[3])
`)
