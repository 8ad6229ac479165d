import { type RedisScript, redisScript } from '@celery/redis'
import { clock } from './lua/clock.ts'
import { wrapping } from './lua/entries.ts'
import { expiry } from './lua/leases.ts'
import { portions } from './lua/portions.ts'
import { returning } from './lua/returning.ts'
import { tags } from './lua/tags.ts'

/**
 * Gives deliveries back as they are, the oldest ending up foremost, as long as they are held.
 * KEYS: unacked, index. ARGV: prefix, separator, tags in the order of their delivery. Returns how many those were.
 */
export const giveBackScript: RedisScript = redisScript(`
${tags}${wrapping}${returning}
local returned = 0
for at = #ARGV, 3, -1 do
  local tag = ARGV[at]
  local value = redis.call('HGET', KEYS[1], tag)
  if not value then
    redis.call('SREM', heldBy(tag), tag)
  elseif putBack(KEYS[1], KEYS[2], tag, unwrap(value, queueOf(tag))) then
    returned = returned + 1
  end
end
return returned
`)

/**
 * Renews the lease of a session, where it is an owner, and moves what it holds ahead in the index, so that Python leaves it
 * alone. Writes something that needs no memory first, since a full server lets a script go on that has begun so.
 *
 * KEYS: owners, renewed, held, index. ARGV: prefix, separator, session, lease, grace.
 * Returns whether it is an owner, and how many others' leases have ended.
 */
export const renewScript: RedisScript = redisScript(`
${tags}${clock}${portions}${expiry}
redis.call('ZREM', KEYS[1], '')
local owner = redis.call('ZSCORE', KEYS[1], ARGV[3]) and 1 or 0
if owner == 1 then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[4]), ARGV[3])
  local score, scores = math.floor(now / 1000), {}
  for _, tag in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    if redis.call('ZSCORE', KEYS[4], tag) then
      scores[#scores + 1] = score
      scores[#scores + 1] = tag
    end
  end
  inPortions('ZADD', KEYS[4], scores, 2)
end
return { owner, #expiredOwners(KEYS[1], KEYS[2], tonumber(ARGV[4]), tonumber(ARGV[5])) }
`)

/** Which sessions but the one that asks have let their lease end. KEYS: owners, renewed. ARGV: prefix, separator, lease, grace, session. */
export const expiredScript: RedisScript = redisScript(`
${clock}${expiry}
keepOwn(KEYS[1], ARGV[5], tonumber(ARGV[3]))
return expiredOwners(KEYS[1], KEYS[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
`)

/**
 * Moves deliveries of a session whose lease has ended to the front of their lists, rewritten, in the given order: the last
 * ends up foremost. KEYS: unacked, index, owners, held. ARGV: prefix, separator, session, then tag and payload of each.
 * Returns how many it moved, or -1 where the owner is back.
 */
export const takeOverScript: RedisScript = redisScript(`
${tags}${clock}${returning}
local ends = redis.call('ZSCORE', KEYS[3], ARGV[3])
if ends and tonumber(ends) > now then return -1 end
local moved = 0
for at = 4, #ARGV, 2 do
  local tag = ARGV[at]
  if redis.call('HEXISTS', KEYS[1], tag) == 0 or not queueOf(tag) then
    redis.call('SREM', KEYS[4], tag)
    redis.call('ZREM', KEYS[2], tag)
  elseif putBack(KEYS[1], KEYS[2], tag, ARGV[at + 1]) then
    moved = moved + 1
  end
end
return moved
`)

/**
 * Gives deliveries back rewritten, whoever holds them. KEYS: unacked, index. ARGV: prefix, separator, then tag and payload of
 * each, the last ending up foremost. Returns how many those were.
 */
export const giveBackRewrittenScript: RedisScript = redisScript(`
${tags}${returning}
local moved = 0
for at = 3, #ARGV, 2 do
  local tag = ARGV[at]
  if redis.call('HEXISTS', KEYS[1], tag) == 0 then
    redis.call('SREM', heldBy(tag), tag)
  elseif putBack(KEYS[1], KEYS[2], tag, ARGV[at + 1]) then
    moved = moved + 1
  end
end
return moved
`)

/**
 * Forgets a session that holds nothing any more and whose lease has ended, or is ended by this where ARGV[4] is 1.
 * KEYS: owners, held, exclusive. ARGV: prefix, separator, session, whether it ends. Returns whether it is gone.
 */
export const forgetScript: RedisScript = redisScript(`
${clock}
local ends = redis.call('ZSCORE', KEYS[1], ARGV[3])
if ARGV[4] == '0' and ends and tonumber(ends) > now then return 0 end
redis.call('ZREM', KEYS[1], ARGV[3])
if redis.call('EXISTS', KEYS[2]) == 1 then
  -- What could not be given back is left to be taken over, a little later, so that nobody is kept busy by it.
  redis.call('ZADD', KEYS[1], now + 1000, ARGV[3])
  return 0
end
redis.call('DEL', KEYS[2], KEYS[3])
return 1
`)

/**
 * Decides that what a connection has not carried out yet never happens. KEYS: put and settled of the connection.
 * Returns the numbers of its last calls, and the results of the last one that settled.
 */
export const closeSentScript: RedisScript = redisScript(`
local put = redis.call('SET', KEYS[1], 'closed', 'PX', 3600000, 'GET')
if put == 'closed' then put = redis.call('HGET', KEYS[2], 'put') end
redis.call('HSET', KEYS[2], 'closed', 1, 'put', put or 0)
redis.call('PEXPIRE', KEYS[2], 3600000)
local settled = redis.call('HMGET', KEYS[2], 'settle', 'results')
return { put or 0, settled[1], settled[2] }
`)
