import { encodeEnvelope } from '@celery/protocol'
import type { Random } from '@celery/protocol/testkit'
import type { Redis } from 'ioredis'

/** What stands in `unacked` instead of `[envelope, exchange, routing key]`. No case has such an envelope. */
const values: readonly string[] = [
  '',
  'x',
  'null',
  '[]',
  '[1,2,3]',
  '["a","b"]',
  '{"a":1}',
  '[{"hostile":1}, "", "celery"]',
  '[{"hostile":1}, null, 5]',
  '["hostile", "", "celery"]',
  '[{"headers":[],"properties":7}, "", "celery"]',
  '[{"x-redeliveries":"many","headers":{},"properties":{}}, "", "celery"]',
  '[{"x-redeliveries":-1e400}, "", "celery"]',
  '[{]}, "", "celery"]',
  '[{"headers":{}}, "", "elsewhere"]',
  '[{"headers":{}}, "no such exchange", "celery"]',
  '[{"body":"\u00ff\u00fe"}, "", "celery"]',
  `${'['.repeat(20_000)}`,
  `[{"headers":${'['.repeat(5_000)}${']'.repeat(5_000)}}, "", "celery"]`,
]

/** What stands where the tag of a delivery should. */
const tags: readonly string[] = [
  '',
  ' ',
  'not-a-tag',
  '..@',
  'a.b.c@celery',
  '*.1.0@celery',
  'hostile.1.7@celery',
  'hostile.99999999999999999999.0@celery',
  'hostile.-1.0@celery',
  'hostile.1.0@',
  'hostile.1.0@elsewhere.dead',
  'hostile.1.0@a\u0000b',
  '\u00ff\u00fe',
  'x'.repeat(10_000),
]

const exchanges: readonly string[] = ['celery', 'celeryev', 'celery.pidbox', 'reply.celery.pidbox', '']

/** What stands in the set of an exchange's bindings instead of `<routing key><sep><pattern><sep><queue>`. */
const bindings: readonly string[] = [
  '',
  'x',
  '\u0006\u0016',
  '\u0006\u0016\u0006\u0016',
  'celery\u0006\u0016',
  '\u0006\u0016(((\u0006\u0016celery',
  'a\u0006\u0016^(a+)+$\u0006\u0016celery',
  'a\u0006\u0016b\u0006\u0016c\u0006\u0016d',
  '\u00ff\u00fe',
]

/**
 * Writes what nobody who keeps to the rules would, beside the queue: deliveries that nobody has settled, of owners that have gone
 * and of nobody, parked messages, and bindings. Among them are deliveries that are as they should be, of workers that died.
 *
 * @returns ids of tasks that have to run in spite of it
 */
export async function writeHostileKeys(redis: Redis, random: Random, round: number): Promise<readonly string[]> {
  const pipeline = redis.pipeline()
  const session = `hostile-${round}`
  const deliver = (tag: string, value: string): void => {
    pipeline.hset('unacked', Buffer.from(tag, 'latin1'), Buffer.from(value, 'latin1'))
    pipeline.zadd('unacked_index', 1, Buffer.from(tag, 'latin1'))
  }
  const own = (tag: string): void => {
    pipeline.sadd(`_celery.held.${session}`, Buffer.from(tag, 'latin1'))
  }
  for (let count = 0; count < 5; count++) {
    const tag = random.pick(tags)
    deliver(tag, random.pick(values))
    const fate = random.below(4)
    if (fate < 2) own(tag)
    if (fate === 2) pipeline.zadd('_celery.eta', random.below(2), Buffer.from(tag, 'latin1'))
  }
  for (const [count, value] of values.entries()) {
    if (random.below(4) > 0) continue
    const tag = `${session}.${count + 10}.0@celery`
    deliver(tag, value)
    own(tag)
  }
  pipeline.zadd('unacked_index', 1, random.pick(tags))
  pipeline.sadd(`_celery.held.${session}`, `${session}.99.0@celery`)
  pipeline.zadd('_celery.owners', 1, session, 2, random.pick(['', ' ', '*', 'nobody']))
  pipeline.sadd(`_kombu.binding.${random.pick(exchanges)}`, Buffer.from(random.pick(bindings), 'latin1'))

  const id = `${round.toString(16).padStart(8, '0')}-0571-4000-8000-000000000001`
  const tag = `${session}.1.0@celery`
  deliver(tag, `[${goodEnvelope(id)}, "", "celery"]`)
  own(tag)
  for (const result of (await pipeline.exec()) ?? []) if (result[0] !== null) throw result[0]
  return [id]
}

/** A delivery that a worker of Python never settled: it is old enough to be put back when another one starts. */
export async function leaveBehind(redis: Redis): Promise<string> {
  const id = '0d000000-0571-4000-8000-000000000002'
  await redis.hset('unacked', id, `[${goodEnvelope(id)}, "", "celery"]`)
  await redis.zadd('unacked_index', 1, id)
  return id
}

function goodEnvelope(id: string): string {
  return encodeEnvelope(
    {
      body: JSON.stringify([[], {}, { callbacks: null, errbacks: null, chain: null, chord: null }]),
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers: { lang: 'py', task: 'wapp.noop', id, root_id: id },
      properties: { correlation_id: id, delivery_mode: 2 },
    },
    { exchange: '', routingKey: 'celery', deliveryTag: id, bodyEncoding: 'base64' },
  )
}
