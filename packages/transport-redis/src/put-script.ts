import { type RedisScript, redisScript } from '@celery/redis'
import { deadLetterLimits } from '@celery/transport'
import { lazyClock, portions, prefix, pushing } from './lua.ts'

/**
 * Puts messages at the back of their lists, all in one step, and notes that it did.
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
local failed = {}
local at, list = 4, 0
while at <= #ARGV do
  local key, queue, size = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local payloads = {}
  for position = 1, size do payloads[position] = ARGV[at + 2 + position] end
  local done, problem = pcall(push, key, queue, payloads)
  if not done then failed[#failed + 1] = { list, type(problem) == 'table' and problem.err or tostring(problem) } end
  at = at + 3 + size
  list = list + 1
end
return failed
`)

/**
 * The same for messages of one plain list, which nearly all are. KEYS: put of the connection, queues, the list.
 * ARGV: number of this call, payloads. Returns nothing, `'closed'`, or `'declared'` where some queue is not a plain one.
 */
export const putPlainScript: RedisScript = redisScript(`
if redis.call('EXISTS', KEYS[2]) == 1 then return 'declared' end
${noteCall('ARGV[1]')}
for first = 2, #ARGV, 1000 do
  redis.call('LPUSH', KEYS[3], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
`)

/** Notes the number of the call, first of all: on a full server that fails, and nothing has happened. */
function noteCall(number: string): string {
  return `
if redis.call('SET', KEYS[1], ${number}, 'PX', 3600000, 'GET') == 'closed' then
  redis.call('SET', KEYS[1], 'closed', 'PX', 3600000)
  return 'closed'
end
`
}
