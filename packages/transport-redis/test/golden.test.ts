/** Beside what Python Celery left in Redis: its keys, read and written here. */
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeEnvelope } from '@celery/protocol'
import { openRedis, type RedisClient } from '@celery/redis'
import { isMissing, startRedis } from '@celery/test-servers'
import { type BrokerConnection, parseBrokerUrl } from '@celery/transport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'
import { keepLeases } from '../src/lease-keeper.ts'
import {
  commandsFor,
  pushesOf,
  type RestoredFile,
  readGolden,
  type TranscriptFile,
  type UnackedFile,
} from './read-golden.ts'

const recorded = ['4.3-default', '5.2-default', '5.6-default', '5.6-prefix'] as const
const separator = '\x06\x16'

describe.skipIf(isMissing('redis')).each(recorded)('beside Celery %s', (name) => {
  const prefix = name.endsWith('prefix') ? 'pfx:' : ''

  test('puts back what a killed worker of Python held, as Python does', async () => {
    const { keys_after_kill: keys, restore_pushes: pushes } = readGolden<RestoredFile>(`restored-${name}`)
    const { open, raw } = await setUp(prefix)
    for (const command of commandsFor(keys)) await raw.send(...command)
    const connection = await open()
    await keepLeasesUntil(connection, async () => (await raw.send('LLEN', `${prefix}celery`)) === pushes.length)

    const restored = (await raw.send('LRANGE', `${prefix}celery`, 0, -1)) as string[]
    expect(new Set(pushes.map(({ key }) => key))).toEqual(new Set([`${prefix}celery`]))
    expect(restored.map(parsed)).toEqual(pushes.map((push) => flagged(parsed(push.raw))))
    expect(await raw.send('EXISTS', `${prefix}unacked`, `${prefix}unacked_index`, `${prefix}unacked_mutex`)).toBe(0)

    const deliveries = await connection.fetch(['celery'], { max: 2, signal: AbortSignal.timeout(30_000) })
    const messages = deliveries.map(({ payload }) => decodeEnvelope(payload as string))
    // The last one that was pushed is the first to be taken.
    expect(messages.map(({ headers }) => headers)).toEqual(
      pushes.map((push) => (parsed(push.raw) as { headers: object }).headers).reverse(),
    )
    expect(messages.every(({ headers }) => headers['redelivered'] === true)).toBe(true)
  })

  test('holds a message of Python as Python itself does', async () => {
    const [first, second] = pushesOf(readGolden<TranscriptFile>(`transcript-${name}-publish`))
    const { open, raw } = await setUp(prefix)
    for (const push of [first, second]) await raw.send('LPUSH', push?.key ?? '', push?.raw ?? '')
    const connection = await open()
    const deliveries = await connection.fetch(['celery'], { max: 10, signal: AbortSignal.timeout(30_000) })
    expect(deliveries.map(({ payload }) => String(payload))).toEqual([first?.raw, second?.raw])

    const held = (await raw.send('HGETALL', `${prefix}unacked`)) as string[] | Record<string, string>
    const byTag = new Map(Array.isArray(held) ? pairs(held) : Object.entries(held))
    expect([...byTag.keys()].sort()).toEqual(deliveries.map(({ tag }) => tag).sort())
    for (const { payload, tag } of deliveries) {
      expect(parsed(byTag.get(tag) ?? '')).toEqual([parsed(String(payload)), '', 'celery'])
    }
    const [seconds] = (await raw.send('TIME')) as string[]
    for (const { tag } of deliveries) {
      const age = Number(seconds) - Number(await raw.send('ZSCORE', `${prefix}unacked_index`, tag))
      expect(Math.abs(age)).toBeLessThan(600)
    }
    expect(await connection.settle(deliveries.map((delivery) => ({ delivery })))).toEqual(['done', 'done'])
    expect(await raw.send('EXISTS', `${prefix}unacked`, `${prefix}unacked_index`)).toBe(0)
  })

  test('puts the same message where Python puts it, in the same form', async () => {
    const pushes = pushesOf(readGolden<TranscriptFile>(`transcript-${name}-publish`))
    expect(pushes.map(({ key }) => key)).toEqual([`${prefix}celery`, `${prefix}celery${separator}9`])
    const { open, raw } = await setUp(prefix)
    const connection = await open()
    for (const push of pushes) {
      await connection.publish([{ exchange: '', routingKey: 'celery', message: decodeEnvelope(push.raw) }])
      const [ours] = (await raw.send('LRANGE', push.key, 0, -1)) as string[]
      expect(withoutTag(ours ?? '')).toEqual(withoutTag(push.raw))
    }
  })

  test('writes the binding of a queue as Python writes it, and routes by those of Python', async () => {
    const { keys } = readGolden<UnackedFile>(`unacked-${name}`)
    const { open, raw } = await setUp(prefix)
    const connection = await open()
    for (const queue of ['celery', 'hipri']) {
      const key = `${prefix}_kombu.binding.${queue}`
      await connection.declareExchange({ name: queue, type: 'direct' })
      await connection.declareQueue({ name: queue })
      await connection.bindQueue({ queue, exchange: queue, routingKey: queue })
      const entries = (await raw.send('SMEMBERS', key)) as Iterable<string>
      expect([...entries]).toEqual(keys[key]?.value)
    }
    await raw.send('SADD', `${prefix}_kombu.binding.celery`, ['other', '', 'elsewhere'].join(separator))
    const [push] = pushesOf(readGolden<TranscriptFile>(`transcript-${name}-publish`))
    const message = decodeEnvelope(push?.raw ?? '')
    await connection.publish([{ exchange: 'celery', routingKey: 'other', message }])
    expect(await raw.send('LLEN', `${prefix}elsewhere`)).toBe(1)
    expect(await raw.send('LLEN', `${prefix}celery`)).toBe(0)
  })
})

describe.skipIf(isMissing('redis'))('topic exchanges', () => {
  test('are bound by the expressions that publishers of Python look for', async () => {
    const { open, raw } = await setUp('')
    const connection = await open()
    await connection.declareExchange({ name: 'topics', type: 'topic' })
    const patterns = {
      'a.#': '^a\\..*?$',
      'a.*.b': '^a\\..*?[^\\.]\\.b$',
      '#': '^.*?$',
      plain: '^plain$',
      'x-y': '^x\\-y$',
    }
    for (const pattern of Object.keys(patterns)) {
      await connection.declareQueue({ name: 'q' })
      await connection.bindQueue({ queue: 'q', exchange: 'topics', routingKey: pattern })
    }
    const entries = (await raw.send('SMEMBERS', '_kombu.binding.topics')) as Iterable<string>
    expect([...entries].sort()).toEqual(
      Object.entries(patterns)
        .map(([pattern, expression]) => [pattern, expression, 'q'].join(separator))
        .sort(),
    )
  })
})

/** A server of its own, and a connection beside the broker's that looks on. */
async function setUp(prefix: string) {
  const server = await startRedis()
  onTestFinished(() => server.close())
  const address = parseBrokerUrl(server.url)
  const raw: RedisClient = await openRedis(address)
  onTestFinished(() => raw.close())
  const transportOptions = { visibility_timeout: 4, ...(prefix === '' ? {} : { global_keyprefix: prefix }) }
  const open = async (): Promise<BrokerConnection> => {
    const connection = await redis.open(address, { transportOptions })
    onTestFinished(() => connection.close())
    return connection
  }
  return { open, raw }
}

/** Runs the keeper of a connection as long as something is awaited. */
async function keepLeasesUntil(connection: BrokerConnection, isReached: () => Promise<boolean>): Promise<void> {
  const stopping = new AbortController()
  const failures: unknown[] = []
  const kept = keepLeases(connection.leaseKeeper?.data, {
    signal: stopping.signal,
    onAbandon() {},
    onHold() {},
    onRelease() {},
    ready() {},
    report: (error) => failures.push(error),
  })
  try {
    const endMs = performance.now() + 30_000
    while (!(await isReached())) {
      if (performance.now() > endMs) throw new Error(`nothing came; the keeper reported ${failures.map(String).join()}`)
      await sleep(20)
    }
  } finally {
    stopping.abort()
    await kept.catch((error: unknown) => {
      if (!stopping.signal.aborted) throw error
    })
  }
}

/** As later versions restore it: 4.3 sets the one flag and not the other. */
function flagged(envelope: unknown): unknown {
  const { properties, ...rest } = envelope as { properties: { delivery_info: object } }
  return { ...rest, properties: { ...properties, delivery_info: { ...properties.delivery_info, redelivered: true } } }
}

function parsed(text: string): unknown {
  return JSON.parse(text)
}

/** An envelope without what is made anew for each. */
function withoutTag(raw: string): unknown {
  const envelope = parsed(raw) as { properties: { delivery_tag: unknown } }
  const { delivery_tag: tag, ...properties } = envelope.properties
  expect(tag).toEqual(expect.any(String))
  return { ...envelope, properties }
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index] ?? '', flat[2 * index + 1] ?? ''])
}
