import { randomUUID } from 'node:crypto'
import type { AbortableOptions } from '@celery/promises'
import type { RedisClient } from '@celery/redis'
import { redisScript } from '@celery/redis'
import { parseJson } from '@celery/serialization'
import { kombuTopicMatches } from '@celery/transport/virtual'
import { type Keys, parseTag } from './keys.ts'
import { asRestoredByKombu } from './redelivered.ts'
import type { RedisBrokerSettings } from './redis-options.ts'
import { replyTexts } from './reply.ts'

/**
 * Puts back what Python workers hold for longer than the visibility timeout, by kombu's own rules: one at a time of all
 * who do so, the most recent first, to the front of the queues that its exchange and routing key lead to, flagged as
 * redelivered. Deliveries of ours are left to their leases, parked ones to their time. The signal ends it between two.
 */
export async function restoreLost(
  client: RedisClient,
  keys: Keys,
  settings: RedisBrokerSettings,
  { signal }: AbortableOptions = {},
): Promise<void> {
  const { mutex, index } = keys
  // Most of the time there is nothing to do, and then nobody is kept from anything.
  const [seconds] = replyTexts(await client.send('TIME'))
  const oldest = Number(seconds) - settings.visibilityTimeoutMs / 1000
  const limit = settings.unackedRestoreLimit === undefined ? [] : ['LIMIT', 0, settings.unackedRestoreLimit]
  const lost = replyTexts(await client.send('ZREVRANGEBYSCORE', index, oldest, 0, ...limit))
  if (lost.length === 0) return
  const token = randomUUID()
  if ((await client.send('SET', mutex, token, 'NX', 'PX', settings.unackedMutexExpireMs)) === null) return
  try {
    for (const tag of lost) {
      if (signal?.aborted === true) break
      await restore(client, keys, tag, oldest)
    }
  } finally {
    await client.script(releaseScript, [mutex], [token])
  }
}

async function restore(client: RedisClient, keys: Keys, tag: string, oldest: number): Promise<void> {
  const parts = parseTag(tag)
  if (parts !== undefined && (await isKept(client, keys, tag, parts.session))) return
  const [score, value] = await client.pipeline([
    ['ZSCORE', keys.index, tag],
    ['HGET', keys.unacked, tag],
  ])
  // Settled or renewed since the list was made.
  if (typeof score !== 'string' || Number(score) > oldest) return
  const entry = typeof value === 'string' ? readEntry(value) : undefined
  const lists = entry === undefined ? [] : await listsOf(client, keys, entry)
  const payload = entry === undefined ? '' : asRestoredByKombu(entry.envelope)
  await client.script(
    restoreScript,
    [keys.unacked, keys.index],
    [tag, typeof value === 'string' ? value : '', payload, ...lists],
  )
}

/** Whether a delivery of ours has an owner, or is parked until a time. */
async function isKept(client: RedisClient, keys: Keys, tag: string, session: string): Promise<boolean> {
  const [owner, eta] = await client.pipeline([
    ['ZSCORE', keys.owners, session],
    ['ZSCORE', keys.eta, tag],
  ])
  return typeof owner === 'string' || typeof eta === 'string'
}

interface Entry {
  readonly envelope: Readonly<Record<string, unknown>>
  readonly exchange: string
  readonly routingKey: string
}

/** `[envelope, exchange, routing key]`; `undefined` for what is none, which kombu cannot put back either. */
function readEntry(text: string): Entry | undefined {
  let value: unknown
  try {
    value = parseJson(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(value)) return undefined
  const [envelope, exchange, routingKey] = value as readonly unknown[]
  if (!isRecord(envelope) || typeof exchange !== 'string' || typeof routingKey !== 'string') return undefined
  return { envelope, exchange, routingKey }
}

async function listsOf(client: RedisClient, keys: Keys, entry: Entry): Promise<readonly string[]> {
  const { envelope, exchange, routingKey } = entry
  const queues = exchange === '' ? [routingKey] : await boundQueues(client, keys, exchange, routingKey)
  const properties = isRecord(envelope['properties']) ? envelope['properties'] : {}
  const { priority } = properties
  const level = typeof priority === 'number' ? Math.max(0, Math.min(9, priority)) : 0
  // Where nothing is bound any more it goes to the queue of that name rather than nowhere.
  return (queues.length === 0 ? [routingKey] : queues).map((queue) => keys.list(queue, keys.step(queue, level)))
}

async function boundQueues(client: RedisClient, keys: Keys, exchange: string, routingKey: string): Promise<string[]> {
  const queues = new Set<string>()
  for (const binding of replyTexts(await client.send('SMEMBERS', keys.binding(exchange)))) {
    const [key = '', pattern, queue] = binding.split(keys.separator)
    if (queue === undefined || queue === '') continue
    if (key === routingKey || (pattern !== '' && kombuTopicMatches(key, routingKey))) queues.add(queue)
  }
  return [...queues]
}

/**
 * Moves an entry that is still the same to its lists; one that nobody can read leaves the index, and stays where it can be
 * looked at. Where all its lists are keys of another type it stays as it is, for the next search. KEYS: unacked, index.
 * ARGV: tag, entry as it was read, payload, lists. Returns whether it was moved.
 */
const restoreScript = redisScript(`
local value = redis.call('HGET', KEYS[1], ARGV[1])
if (value or '') ~= ARGV[2] then return 0 end
if #ARGV < 4 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 0
end
redis.call('ZREM', KEYS[2], '') -- See putBack.
local isMoved = 0
for at = 4, #ARGV do
  if type(redis.pcall('RPUSH', ARGV[at], ARGV[3])) == 'number' then isMoved = 1 end
end
if isMoved == 1 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return isMoved
`)

/** As redis-py releases a lock: only one's own. KEYS: mutex. ARGV: token. */
const releaseScript = redisScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
