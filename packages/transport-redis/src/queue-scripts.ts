import { type RedisScript, redisScript } from '@celery/redis'
import { deadLetterLimits } from '@celery/transport'
import { clock } from './lua/clock.ts'
import { aging } from './lua/dead-letters.ts'
import { wrapping } from './lua/entries.ts'
import { counting, due } from './lua/parked.ts'
import { returning } from './lua/returning.ts'
import { tags } from './lua/tags.ts'

/**
 * Runs one command, on a full server as well: what is declared takes little room, and without it no worker could start that
 * empties the queues. KEYS: owners, the key of the command. ARGV: its name and arguments.
 */
export const letInScript: RedisScript = redisScript(`
redis.call('ZREM', KEYS[1], '') -- See putBack.
return redis.call(ARGV[1], KEYS[2], unpack(ARGV, 2))
`)

/**
 * Notes that a session fetches from a queue, and makes that an owner, if it holds nothing yet: others find out by its lease
 * that it is gone. KEYS: owners, the consumers of the queue. ARGV: session, lease.
 */
export const joinScript: RedisScript = redisScript(`
${clock}
redis.call('ZREM', KEYS[1], '') -- See putBack.
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[1], 'GT', now + tonumber(ARGV[2]), ARGV[1])
`)

/**
 * Counts what is in a queue, and notes its declaration where it is not a plain one. An exclusive one ends with the session,
 * or with the last of several that have declared it: a program that was started again gets the queue that it had, and keeps
 * it when the lease ends that it had before.
 *
 * KEYS: owners, delayed, queues, used, unacked, index, eta, its lists. ARGV: prefix, separator, queue, declaration or '',
 * expires or '', session where it is exclusive or '', lease. Returns how many are ready, delayed and held.
 */
export const declareQueueScript: RedisScript = redisScript(`
${tags}${clock}${wrapping}${returning}${due}${aging(deadLetterLimits.messageTtlMs)}
redis.call('ZREM', KEYS[1], '') -- See putBack.
moveDue(KEYS[5], KEYS[6], KEYS[7], KEYS[2])
local queue = ARGV[3]
if ARGV[6] ~= '' then
  redis.call('SADD', P .. '_celery.exclusive.' .. ARGV[6], queue)
  redis.call('ZADD', KEYS[1], 'GT', now + tonumber(ARGV[7]), ARGV[6])
end
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
return { ready, math.max(0, tonumber(redis.call('HGET', KEYS[2], queue) or 0) or 0), held }
`)

/** Removes what is ready and says how many that were. KEYS: the lists of the queue. */
export const purgeScript: RedisScript = redisScript(`
local ready = 0
for _, key in ipairs(KEYS) do ready = ready + redis.call('LLEN', key) end
redis.call('UNLINK', unpack(KEYS))
return ready
`)

/**
 * Removes a queue with its bindings and what is ready or held of it, and says how many were ready; -1 where it stays. With
 * `unused`, one stays that has a consumer: that may be busy for longer than the queue may be without use, and it counts
 * from the end of its lease. With `exclusive`, one stays that the session does not have, or another one too.
 *
 * KEYS: owners, unacked, index, queues, used, delayed, exchanges, its lists.
 * ARGV: prefix, separator, queue, `unused` or `exclusive` or '', expires or session.
 */
export const deleteQueueScript: RedisScript = redisScript(`
${tags}${clock}
local queue = ARGV[3]
local owners = redis.call('ZRANGE', KEYS[1], 0, -1)
if ARGV[4] == 'unused' then
  local at = redis.call('ZSCORE', KEYS[5], queue)
  if not at or tonumber(at) > now then return -1 end
  local last = 0
  for _, session in ipairs(redis.pcall('SMEMBERS', P .. '_celery.consumers.' .. queue)) do
    last = math.max(last, tonumber(redis.call('ZSCORE', KEYS[1], session) or 0))
  end
  if last > 0 and last + tonumber(ARGV[5]) > now then
    redis.call('ZREM', KEYS[1], '') -- See putBack.
    redis.call('ZADD', KEYS[5], last + tonumber(ARGV[5]), queue)
    return -1
  end
elseif ARGV[4] == 'exclusive' then
  if redis.call('SREM', P .. '_celery.exclusive.' .. ARGV[5], queue) == 0 then return -1 end
  for _, session in ipairs(owners) do
    if redis.pcall('SISMEMBER', P .. '_celery.exclusive.' .. session, queue) == 1 then return -1 end
  end
end
local ready = 0
for at = 8, #KEYS do
  ready = ready + redis.call('LLEN', KEYS[at])
  redis.call('UNLINK', KEYS[at])
end
local ending = '@' .. queue
for _, session in ipairs(owners) do
  redis.pcall('SREM', P .. '_celery.exclusive.' .. session, queue)
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
${counting}
for at = 4, #ARGV do
  if redis.call('ZREM', KEYS[3], ARGV[at]) == 1 then countDelayed(KEYS[4], ARGV[3], -1) end
  redis.call('ZREM', KEYS[2], ARGV[at])
  redis.call('HDEL', KEYS[1], ARGV[at])
end
`)

/** Queues that nobody has used for their time. KEYS: used. */
export const unusedScript: RedisScript = redisScript(`
${clock}
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)
`)

/** A queue was used now. KEYS: used. ARGV: queue, milliseconds. */
export const touchScript: RedisScript = redisScript(`
${clock}
redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[2]), ARGV[1])
`)

/**
 * The same by a session that fetches from it, and counts as its consumer from then on.
 * KEYS: owners, used, the consumers of the queue. ARGV: queue, milliseconds, session, lease.
 */
export const useScript: RedisScript = redisScript(`
${clock}
redis.call('ZREM', KEYS[1], '') -- See putBack.
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[2]), ARGV[1])
redis.call('SADD', KEYS[3], ARGV[3])
redis.call('ZADD', KEYS[1], 'GT', now + tonumber(ARGV[4]), ARGV[3])
`)
