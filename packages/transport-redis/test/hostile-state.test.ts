/** Whatever stands in any key of the broker: nothing is lost or doubled, nothing hangs, and what fails says so by name. */
import { CeleryError } from '@celery/promises'
import { openRedis, type RedisArgument, type RedisClient } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl, type SettleAction } from '@celery/transport'
import { publication, readBody, textMessage } from '@celery/transport/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'
import { keepLeases } from '../src/lease-keeper.ts'

const sep = '\x06\x16'

/** Every key that is read, by type; `*` is what a connection adds to the name, and `$` the session. */
const keys = {
  list: ['q', `q${sep}3`, 'q.dead'],
  hash: ['unacked', '_celery.delayed', '_celery.exchanges', '_celery.queues', '_celery.settled.*'],
  zset: ['unacked_index', '_celery.owners', '_celery.eta', '_celery.used'],
  set: ['_kombu.binding.x', '_celery.held.$', '_celery.consumers.q', '_celery.exclusive.$'],
  string: ['unacked_mutex', '_celery.renewed', '_celery.mark', '_celery.put.*'],
} as const

const texts: readonly (string | Buffer)[] = [
  '',
  '0.5',
  '-1',
  '1e400',
  'nan',
  'null',
  '[]',
  '{',
  '{"a"',
  '[{"body":1',
  '[{}, "", "q"]',
  '[{"properties":{"priority":"high"}}, "x", 7]',
  '{nothing}',
  'no tag',
  `${sep}${sep}${sep}`,
  Buffer.from([0xff, 0x00, 0xfe]),
  'x'.repeat(2 ** 20),
]

/** Tags that the session `$` might have given, and some that nobody gives. */
const tags = ['$.1.0@', '.1.0@q', '$.99999999999999999999.0@q', '$.77.9@q', `$.78.0@q${sep}`, '$.79.0@other']

/** What may be said of a queue or an exchange. */
const declarations: readonly string[] = [
  ...['0.5', '0', '-1', '1e300', '1e15', '"soon"', 'null', '[]', '{}'].map((value) => `{"messageTtlMs":${value}}`),
  ...['0.5', '-1', '1e300', '"soon"'].map((value) => `{"expiresMs":${value},"autoDelete":${value}}`),
  '{"type":"fanout"}',
  '{"type":7}',
  `{"messageTtlMs":${'['.repeat(2_000)}${']'.repeat(2_000)}}`,
  '7',
  'true',
  '"text"',
]

type Command = readonly [string, ...RedisArgument[]]

interface Plant {
  readonly name: string
  readonly key: string
  /** Whether the key is taken away before, and put back after it was used. */
  readonly replaces: boolean
  readonly commands: (name: (key: string) => string) => readonly Command[]
}

const scores = ['1', '-inf', 'inf', '0.5']

const plants: readonly Plant[] = [
  ...Object.entries(keys).flatMap(([type, names]) =>
    names.map((key) => ({
      name: 'what is of another type',
      key,
      replaces: true,
      commands: (name: (key: string) => string): Command[] => [
        type === 'string' ? ['HSET', name(key), 'a', 'b'] : ['SET', name(key), 'a string'],
      ],
    })),
  ),
  ...keys.hash.map((key) => ({
    name: 'any fields and values',
    key,
    replaces: false,
    commands: (name: (key: string) => string): Command[] =>
      texts.flatMap((text) => [
        ['HSET', name(key), text, text],
        ...tags.map((tag): Command => ['HSET', name(key), name(tag), text]),
      ]),
  })),
  ...keys.zset.map((key) => ({
    name: 'any members and scores',
    key,
    replaces: false,
    commands: (name: (key: string) => string): Command[] =>
      [...texts, ...tags.map(name)].map((text, at) => ['ZADD', name(key), scores[at % scores.length] ?? '1', text]),
  })),
  ...keys.set.map((key) => ({
    name: 'any members',
    key,
    replaces: false,
    commands: (name: (key: string) => string): Command[] => [['SADD', name(key), ...texts, ...tags.map(name)]],
  })),
  ...keys.string.flatMap((key) =>
    texts.map((text, at) => ({
      name: `text ${at}`,
      key,
      replaces: true,
      commands: (name: (key: string) => string): Command[] => [['SET', name(key), text]],
    })),
  ),
  ...(['_celery.queues', '_celery.exchanges', '_celery.delayed'] as const).flatMap((key) =>
    [...texts, ...declarations].map((text, at) => ({
      name: `value ${at}`,
      key,
      replaces: false,
      commands: (name: (key: string) => string): Command[] => [
        ['HSET', name(key), 'q', text, 'other', text, 'x', text],
      ],
    })),
  ),
  ...texts.map((text, at) => ({
    name: `text ${at} as every delivery that is held, parked or overdue`,
    key: 'unacked',
    replaces: false,
    commands: (name: (key: string) => string): Command[] =>
      tags.flatMap((tag, index): Command[] => [
        ['HSET', name('unacked'), name(tag), text],
        ['SADD', name('_celery.held.$'), name(tag)],
        ['ZADD', name(index % 2 === 0 ? '_celery.eta' : 'unacked_index'), 1, name(tag)],
      ]),
  })),
]

/** What was published and not ended. */
class Ledger {
  readonly open = new Set<string>()

  async publish(connection: BrokerConnection, body: string, exchange = ''): Promise<void> {
    const routed = { exchange, routingKey: 'to.q', message: textMessage(body) }
    const publishing = connection.publish([exchange === '' ? publication('q', body) : routed])
    const isDone = await attempt(() => publishing.then(() => true))
    // Nobody promises that it goes anywhere while its bindings cannot be read.
    if (isDone === true && exchange === '') this.open.add(body)
  }

  async settle(connection: BrokerConnection, delivery: Delivery | undefined, action: SettleAction): Promise<void> {
    if (delivery === undefined) return
    const results = await attempt(() => connection.settle([{ delivery, action }]))
    if (results?.[0] === 'done' && action.type === 'ack') this.open.delete(bodyOf(delivery))
  }
}

describe.skipIf(isMissing('redis'))('P-1, P-6: whatever stands in a key', () => {
  let server: RedisServer
  let raw: RedisClient
  beforeAll(async () => {
    server = await startRedis()
    raw = await openRedis(parseBrokerUrl(server.url))
  })
  afterAll(async () => {
    await raw.close()
    await server.close()
  })

  test.concurrent.each(plants.map((plant, at) => ({ ...plant, prefix: `${at}:`, session: `a${at}` })))(
    '$key holds $name',
    async ({ key, commands, prefix, replaces, session }) => {
      const open = (name: string): Promise<BrokerConnection> =>
        redis.open(parseBrokerUrl(server.url), {
          session: name,
          transportOptions: { global_keyprefix: prefix, takeover_grace: 0 },
        })
      const ledger = new Ledger()
      await using connection = await open(session)
      await connection.declareExchange({ name: 'x', type: 'topic' })
      await connection.declareQueue({ name: 'q' })
      await connection.bindQueue({ exchange: 'x', queue: 'q', routingKey: 'to.*' })
      for (const body of ['acked', 'parked', 'dead', 'held', 'ready']) await ledger.publish(connection, body)
      const [acked, parked, dead, held] = await fetch(connection, 'q', 4, { patienceMs: 20_000 })
      await ledger.settle(connection, acked, { type: 'ack' })
      await ledger.settle(connection, parked, { type: 'park', untilMs: Date.now() + 3_600_000 })
      await ledger.settle(connection, dead, { type: 'dead', reason: 'why not' })

      const names = (await raw.send('KEYS', `${prefix}*`)) as string[]
      const name = (text: string): string => {
        if (text.includes('@')) return text.replace('$', session)
        const known = text.replace('$', session).replace('*', '')
        return text.endsWith('*') ? (names.find((each) => each.startsWith(prefix + known)) ?? '') : prefix + known
      }
      const planted = name(key)
      const saved = replaces ? ((await raw.sendBuffer('DUMP', planted)) as Buffer | null) : null
      if (replaces) await raw.send('DEL', planted)
      for (const reply of await raw.pipeline(commands(name))) expect(reply).not.toBeInstanceOf(Error)

      await ledger.settle(connection, held, { type: 'requeue', counted: true })
      await useAll(connection, ledger, () => open(`another${session}`))

      if (replaces) await raw.send('DEL', planted)
      if (saved !== null) await raw.send('RESTORE', planted, 0, saved)
      // It is gone, and so are its lease and the time for which anything was parked.
      await connection.close()
      await raw.send('ZADD', `${prefix}_celery.owners`, 'XX', 1, session)
      for (const tag of (await raw.send('ZRANGE', `${prefix}_celery.eta`, 0, -1)) as string[]) {
        await raw.send('ZADD', `${prefix}_celery.eta`, 1, tag)
      }
      await using next = await open(`next${session}`)
      expect(await drain(next, ledger.open)).toEqual([...ledger.open].sort())
    },
  )

  /** Does everything that there is to do, once. */
  async function useAll(
    connection: BrokerConnection,
    ledger: Ledger,
    openAnother: () => Promise<BrokerConnection>,
  ): Promise<void> {
    await ledger.publish(connection, 'new')
    await ledger.publish(connection, 'routed', 'x')
    await attempt(() => connection.declareQueue({ name: 'q' }))
    await attempt(() =>
      connection.declareQueue({ name: 'other', exclusive: true, autoDelete: true, expiresMs: 60_000 }),
    )
    await attempt(() => connection.bindQueue({ exchange: 'x', queue: 'other', routingKey: 'other' }))
    await attempt(() => connection.unbindQueue({ exchange: 'x', queue: 'other', routingKey: 'other' }))
    const taken = (await attempt(() => fetch(connection, 'q', 3))) ?? []
    await attempt(() => connection.renew(taken))
    const [first, second, third] = taken
    await ledger.settle(connection, first, { type: 'ack' })
    await ledger.settle(connection, second, { type: 'park', untilMs: Date.now() + 3_600_000 })
    await ledger.settle(connection, third, { type: 'dead', reason: 'why not' })
    await attempt(() => fetch(connection, 'q.dead', 1))
    await attempt(() => connection.purgeQueue('other'))
    await attempt(() => connection.deleteQueue('other'))
    const another = await attempt(openAnother)
    if (another !== undefined) await attempt(() => another.declareQueue({ name: 'q' }))
    await keepOnce(connection)
    await another?.close()
  }
})

/** One round of the lease keeper, with what it does for Python. */
async function keepOnce(connection: BrokerConnection): Promise<void> {
  const controller = new AbortController()
  const failures: unknown[] = []
  const stop = (): void => controller.abort()
  await keepLeases(structuredClone(connection.leaseKeeper?.data), {
    signal: controller.signal,
    onAbandon: () => {},
    onHold: () => {},
    onRelease: () => {},
    ready: stop,
    report: (error) => {
      failures.push(error)
      stop()
    },
  })
  for (const error of failures) checkName(error)
}

/** What it comes to, or nothing where it fails in a way that people can understand. */
async function attempt<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    checkName(error)
    return undefined
  }
}

function checkName(error: unknown): void {
  if (error instanceof DOMException && error.name === 'TimeoutError') return
  const isNamed = CeleryError.is(error) && !/attempt to|user_script|bad argument|malformed/.test(error.message)
  if (!isNamed) throw error
}

/** What comes of so many; by default there may be none, and nothing depends on it. */
async function fetch(
  connection: BrokerConnection,
  queue: string,
  count: number,
  { patienceMs = 150 } = {},
): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  const signal = AbortSignal.timeout(patienceMs)
  try {
    while (deliveries.length < count) {
      deliveries.push(...(await connection.fetch([queue], { max: count - deliveries.length, signal })))
    }
  } catch (error) {
    if (deliveries.length === 0) throw error
  }
  return deliveries
}

/** The bodies of all there is in the end, sorted; whatever is none of the ledger's is passed over. */
async function drain(connection: BrokerConnection, wanted: ReadonlySet<string>): Promise<string[]> {
  const bodies: string[] = []
  const signal = AbortSignal.timeout(20_000)
  const queues = ['q', 'q.dead']
  while (bodies.length < wanted.size) {
    for (const delivery of await connection.fetch(queues, { max: 100, signal })) {
      if (wanted.has(bodyOf(delivery))) bodies.push(bodyOf(delivery))
    }
  }
  for (const queue of queues) expect((await connection.declareQueue({ name: queue })).ready).toBe(0)
  return bodies.sort()
}

function bodyOf(delivery: Delivery): string {
  try {
    return readBody(delivery)
  } catch {
    return 'none'
  }
}
