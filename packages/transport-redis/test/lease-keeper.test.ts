import { Worker } from 'node:worker_threads'
import { deferred } from '@celery/promises'
import { openRedis, type RedisClient } from '@celery/redis'
import { isMissing, type RedisServer, startFaultProxy, startRedis } from '@celery/test-servers'
import {
  type BrokerConnection,
  type Delivery,
  type DeliveryRef,
  type KeepLeases,
  parseBrokerUrl,
} from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'
import { keepLeases } from '../src/lease-keeper.ts'
import { kill, until } from './redis-under-test.ts'

const leaseMs = 800

describe.skipIf(isMissing('redis'))('the lease keeper', () => {
  let server: RedisServer
  let raw: RedisClient
  let names = 0
  beforeAll(async () => {
    server = await startRedis({ appendOnly: true })
    raw = await openRedis(parseBrokerUrl(server.url))
  })
  afterAll(async () => {
    await raw.close()
    await server.close()
  })

  interface Opened {
    readonly connection: BrokerConnection
    readonly queue: string
    readonly prefix: string
    /** Cuts the connection from the side of the server. */
    cut(): Promise<void>
  }

  async function open(
    options: { prefix?: string; leaseMs?: number; session?: string; graceSeconds?: number } = {},
  ): Promise<Opened> {
    const name = `keeper-${++names}`
    const prefix = options.prefix ?? `${name}:`
    const connection = await redis.open(parseBrokerUrl(server.url), {
      leaseMs: options.leaseMs ?? leaseMs,
      ...(options.session === undefined ? {} : { session: options.session }),
      transportOptions: { global_keyprefix: prefix, client_name: name, takeover_grace: options.graceSeconds ?? 0 },
    })
    onTestFinished(() => connection.close())
    const cut = async (): Promise<void> => {
      const closed = connection.closed.catch(() => {})
      await kill(raw, name)
      await closed
    }
    return { connection, queue: 'q', prefix, cut }
  }

  test('F-04: keeps the lease of a connection that does nothing, and others take over once it has ended', async () => {
    const { connection, queue, prefix, cut } = await open({ session: 'kept' })
    await connection.publish([publication(queue, 'a')])
    const [delivery] = await take(connection)
    const keeper = startKeeper(connection)
    await keeper.ready
    // Its own connection renews nothing any more.
    await cut()
    const other = (await open({ prefix })).connection
    const taking = take(other)
    const ends = async (): Promise<number> => Number(await raw.send('ZSCORE', `${prefix}_celery.owners`, 'kept'))
    const first = await ends()
    const renewed = until(async () => (await ends()) > first + 3 * leaseMs)
    expect(await Promise.race([taking.then(() => 'taken'), renewed.then(() => 'kept')])).toBe('kept')
    await keeper.stop()
    const [taken] = await taking
    expect(taken).toMatchObject({ redeliveries: 1 })
    expect(await other.settle([{ delivery: delivery as Delivery }, { delivery: taken as Delivery }])).toEqual([
      'stale',
      'done',
    ])
    expect(await raw.send('KEYS', `${prefix}*celery.held*`)).toEqual([])
  })

  test('takes over what a lost owner held while nobody fetches, flagged for Python and counted', async () => {
    const { connection, queue, prefix, cut } = await open()
    await connection.publish(['a', 'b'].map((body) => publication(queue, body)))
    await take(connection, 2)
    await cut()
    const keeper = startKeeper((await open({ prefix })).connection)
    await until(async () => (await raw.send('LLEN', `${prefix}${queue}`)) === 2)
    await keeper.stop()
    const envelopes = ((await raw.send('LRANGE', `${prefix}${queue}`, 0, -1)) as string[]).map((text) =>
      JSON.parse(text),
    )
    // The one that was delivered first is taken first.
    expect(envelopes.map(({ body }) => body)).toEqual(['b', 'a'])
    for (const envelope of envelopes) {
      expect(envelope).toMatchObject({
        'x-redeliveries': 1,
        headers: { redelivered: true },
        properties: { delivery_info: { redelivered: true, routing_key: queue } },
      })
    }
    expect(await raw.send('EXISTS', `${prefix}unacked`, `${prefix}unacked_index`)).toBe(0)
  })

  test('keeps Python from putting back what we hold, by the score in the index', async () => {
    const { connection, queue, prefix } = await open()
    await connection.publish([publication(queue, 'a')])
    const [delivery] = await take(connection)
    const tag = (delivery as Delivery).tag
    await raw.send('ZADD', `${prefix}unacked_index`, 1, tag)
    const keeper = startKeeper(connection)
    await until(async () => Number(await raw.send('ZSCORE', `${prefix}unacked_index`, tag)) > 1_000_000)
    await keeper.stop()
    await connection.settle([{ delivery: delivery as Delivery }])
  })

  test('puts back what Python lost, but not what is newer, ours, or while somebody else does', async () => {
    const { connection, prefix } = await open()
    const [seconds] = (await raw.send('TIME')) as [string]
    const entry = (body: string, queue: string): string =>
      JSON.stringify([{ ...envelope(body), properties: { priority: 6, delivery_info: {} } }, '', queue])
    await raw.send('HSET', `${prefix}unacked`, 'old', entry('old', 'q'), 'new', entry('new', 'q'), 'junk', 'no json')
    await raw.send('ZADD', `${prefix}unacked_index`, Number(seconds) - 4_000, 'old', seconds, 'new')
    await raw.send('ZADD', `${prefix}unacked_index`, Number(seconds) - 4_000, 'junk')
    await raw.send('SET', `${prefix}unacked_mutex`, 'another', 'PX', 600_000)
    const waiting = startKeeper(connection)
    await waiting.ready
    await waiting.stop()
    expect(await raw.send('ZCARD', `${prefix}unacked_index`)).toBe(3)
    await raw.send('DEL', `${prefix}unacked_mutex`)
    const keeper = startKeeper(connection)
    const list = `${prefix}q\x06\x166`
    await until(async () => (await raw.send('LLEN', list)) === 1)
    await until(async () => (await raw.send('EXISTS', `${prefix}unacked_mutex`)) === 0)
    await keeper.stop()
    expect(JSON.parse(String(await raw.send('LINDEX', list, 0)))).toMatchObject({
      body: 'old',
      headers: { redelivered: true },
      properties: { delivery_info: { redelivered: true } },
    })
    expect(((await raw.send('HKEYS', `${prefix}unacked`)) as string[]).sort()).toEqual(['junk', 'new'])
    expect(await raw.send('ZRANGE', `${prefix}unacked_index`, 0, -1)).toEqual(['new'])
  })

  test('P-1: what Python lost stays where it is while its list is a key of another type, and others go back', async () => {
    const { connection, prefix } = await open()
    const entry = (body: string, queue: string): string => JSON.stringify([envelope(body), '', queue])
    await raw.send('HSET', `${prefix}unacked`, 'one', entry('one', 'wrong'), 'two', entry('two', 'right'))
    await raw.send('ZADD', `${prefix}unacked_index`, 2, 'one', 1, 'two')
    await raw.send('SET', `${prefix}wrong`, 'a string')
    const keeper = startKeeper(connection)
    await until(async () => (await raw.send('LLEN', `${prefix}right`)) === 1)
    await keeper.stop()
    expect(keeper.failures).toEqual([])
    expect(await raw.send('HKEYS', `${prefix}unacked`)).toEqual(['one'])
    await raw.send('DEL', `${prefix}wrong`)
    const again = startKeeper(connection)
    await until(async () => (await raw.send('LLEN', `${prefix}wrong`)) === 1)
    await again.stop()
    expect(await raw.send('EXISTS', `${prefix}unacked`, `${prefix}unacked_index`)).toBe(0)
  })

  test('TRAN-023: looks for what Python lost as often as it is told', async () => {
    const prefix = `keeper-${++names}:`
    const connection = await redis.open(parseBrokerUrl(server.url), {
      leaseMs,
      transportOptions: { global_keyprefix: prefix, unacked_restore_interval: 1, unacked_restore_throttle: 1 },
    })
    onTestFinished(() => connection.close())
    const keeper = startKeeper(connection)
    for (const body of ['first', 'second']) {
      await raw.send('HSET', `${prefix}unacked`, body, JSON.stringify([envelope(body), '', body]))
      await raw.send('ZADD', `${prefix}unacked_index`, 1, body)
      await until(async () => (await raw.send('LLEN', `${prefix}${body}`)) === 1)
    }
    await keeper.stop()
  })

  test('P-2: goes on renewing while it puts back more than a lease is long, and ends amid that', async () => {
    const proxy = await startFaultProxy(server)
    onTestFinished(() => proxy.close())
    const prefix = `keeper-${++names}:`
    const connection = await redis.open(parseBrokerUrl(proxy.url(server.url)), {
      leaseMs,
      session: 'busy',
      transportOptions: { global_keyprefix: prefix, takeover_grace: 0 },
    })
    onTestFinished(() => connection.close())
    await connection.publish([publication('q', 'a')])
    await take(connection)
    // Its own connection renews nothing any more.
    proxy.cut()
    await connection.closed.catch(() => {})
    const tags = Array.from({ length: 2_000 }, (_, index) => `python-${index}`)
    const entries = tags.flatMap((tag) => [tag, JSON.stringify([envelope(tag), '', 'lost'])])
    await raw.send('HSET', `${prefix}unacked`, ...entries)
    await raw.send('ZADD', `${prefix}unacked_index`, ...tags.flatMap((tag) => [1, tag]))
    proxy.latency(10)
    const keeper = startKeeper(connection)
    await until(async () => Number(await raw.send('LLEN', `${prefix}lost`)) > 0)
    for (let renewal = 0; renewal < 3; renewal++) {
      const ends = await raw.send('GET', `${prefix}_celery.renewed`)
      await until(async () => (await raw.send('GET', `${prefix}_celery.renewed`)) !== ends)
    }
    expect(Number(await raw.send('ZCARD', `${prefix}unacked_index`))).toBeGreaterThan(1)
    await keeper.stop()
    expect(keeper.failures).toEqual([])
    expect(await raw.send('EXISTS', `${prefix}unacked_mutex`)).toBe(0)
  })

  test('gives abandoned deliveries back, counted', async () => {
    const { connection, queue } = await open()
    await connection.publish([publication(queue, 'a')])
    const [delivery] = await take(connection)
    const keeper = startKeeper(connection)
    await keeper.ready
    keeper.abandon([delivery as Delivery])
    const [again] = await take(connection)
    expect(again).toMatchObject({ redeliveries: 1 })
    expect(await connection.settle([{ delivery: delivery as Delivery }])).toEqual(['stale'])
    await keeper.stop()
  })

  test('F-16, P-2: goes on after the server was away for longer than the lease, and nothing is taken over', async () => {
    const own = await startRedis({ appendOnly: true, password: 'secret' })
    onTestFinished(() => own.close())
    const address = parseBrokerUrl(own.url)
    const options = { leaseMs, transportOptions: { takeover_grace: 60 } }
    const [holder, other] = [
      await redis.open(address, { ...options, session: 'holder' }),
      await redis.open(address, { ...options, session: 'other' }),
    ]
    await holder.publish([publication('q', 'a')])
    const [delivery] = await take(holder)
    const keepers = [startKeeper(holder), startKeeper(other)]
    await Promise.all(keepers.map(({ ready }) => ready))
    await own.kill()
    await Promise.all([holder, other].map((connection) => connection.closed.catch(() => {})))
    await new Promise((resolve) => setTimeout(resolve, 2 * leaseMs))
    await own.restart()
    const again = await openRedis(address)
    onTestFinished(() => again.close())
    // Each has renewed: one of them has found the gap.
    await until(async () => {
      const [[now], ends] = [
        (await again.send('TIME')) as [string],
        await again.send('ZSCORE', '_celery.owners', 'holder'),
      ]
      return Number(ends) > (Number(now) + 0.2) * 1_000 && keepers.every(({ failures }) => failures.length > 0)
    })
    const next = await redis.open(address, { ...options, session: 'holder' })
    onTestFinished(() => next.close())
    expect(await next.settle([{ delivery: delivery as Delivery }])).toEqual(['done'])
    expect(await again.send('LLEN', 'q')).toBe(0)
    for (const keeper of keepers) await keeper.stop()
    expect(keepers.flatMap(({ failures }) => failures).every((error) => !String(error).includes('secret'))).toBe(true)
  })

  test('runs as the module of its specification, on a thread', async () => {
    const { connection, queue, prefix, cut } = await open()
    await connection.publish([publication(queue, 'a')])
    await take(connection)
    await cut()
    const { leaseKeeper } = (await open({ prefix })).connection
    const code = `const { workerData } = require('node:worker_threads')
      import(workerData.module).then(({ keepLeases }) => keepLeases(workerData.data, {
        onAbandon() {}, onHold() {}, onRelease() {}, ready() {}, report(error) { throw error } }))`
    const worker = new Worker(code, {
      eval: true,
      workerData: { module: leaseKeeper?.module.href, data: leaseKeeper?.data },
    })
    onTestFinished(async () => {
      await worker.terminate()
    })
    await until(async () => (await raw.send('LLEN', `${prefix}${queue}`)) === 1)
    const again = (await open({ prefix })).connection
    expect((await take(again)).map(readBody)).toEqual(['a'])
  })
})

function envelope(body: string): object {
  return { body, 'content-type': 'text/plain', 'content-encoding': 'utf-8', headers: {} }
}

async function take(connection: BrokerConnection, count = 1): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  while (deliveries.length < count) {
    const max = count - deliveries.length
    deliveries.push(...(await connection.fetch(['q'], { max, signal: AbortSignal.timeout(30_000) })))
  }
  return deliveries
}

interface RunningKeeper {
  /** Resolves when leases are kept. */
  readonly ready: Promise<void>
  readonly failures: readonly unknown[]
  abandon(deliveries: readonly DeliveryRef[]): void
  stop(): Promise<void>
}

/** The keeper of a connection, on this thread. */
function startKeeper(connection: BrokerConnection): RunningKeeper {
  const controller = new AbortController()
  const ready = deferred()
  const failures: unknown[] = []
  let abandon: ((deliveries: readonly DeliveryRef[]) => void) | undefined
  const keep: KeepLeases = keepLeases
  const running = keep(structuredClone(connection.leaseKeeper?.data), {
    signal: controller.signal,
    onAbandon: (handler) => {
      abandon = handler
    },
    onHold: () => {},
    onRelease: () => {},
    ready: () => ready.resolve(),
    report: (error) => failures.push(error),
  })
  const stop = (): Promise<void> => {
    controller.abort()
    return running
  }
  onTestFinished(stop)
  return { ready: ready.promise, failures, abandon: (deliveries) => abandon?.(deliveries), stop }
}
