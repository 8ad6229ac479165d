import { setTimeout as sleep } from 'node:timers/promises'
import { deferred } from '@celery/promises'
import { decodeEnvelope, type WireMessage } from '@celery/protocol'
import { openRedis } from '@celery/redis'
import { isMissing, type RedisServer, startFaultProxy, startPythonCeleryWorker, startRedis } from '@celery/test-servers'
import { type BrokerConnection, parseBrokerUrl, type QueueDeclaration } from '@celery/transport'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'
import { readGolden, type TranscriptFile } from './read-golden.ts'

const separator = '\x06\x16'
const timeoutMs = 120_000

describe.skipIf(isMissing('redis'))('fanout on Redis', () => {
  let server: RedisServer

  beforeAll(async () => {
    server = await startRedis()
  }, timeoutMs)
  afterAll(() => server?.close())

  async function open(transportOptions: Readonly<Record<string, unknown>> = {}, path = '0'): Promise<BrokerConnection> {
    const address = parseBrokerUrl(server.url.replace(/\/0$/, `/${path}`))
    const connection = await redis.open(address, { transportOptions })
    onTestFinished(() => connection.close())
    return connection
  }

  describe.each(['4.3-default', '5.2-default', '5.6-default', '5.6-prefix'])('beside a worker of Celery %s', (name) => {
    const keyPrefix = name.endsWith('prefix') ? 'pfx:' : ''
    const transportOptions = { global_keyprefix: keyPrefix }
    const { commands } = readGolden<TranscriptFile>(`transcript-${name}-worker_startup`)
    const published = commands.flatMap(({ cmd: [command, channel = '', payload = ''] }) =>
      command === 'PUBLISH' && !channel.startsWith('celery-task-meta-') ? [{ channel, payload }] : [],
    )
    const events = published.filter(({ channel }) => channel.includes('celeryev'))

    test('hears what it publishes', async () => {
      const connection = await open(transportOptions)
      await listen(connection, 'celery.pidbox', '', { name: 'me@host.celery.pidbox' })
      await listen(connection, 'celeryev', 'worker.#', { name: 'celeryev.me' })
      for (const { channel, payload } of published) await server.send('PUBLISH', channel, payload)
      const heard = await take(connection, ['me@host.celery.pidbox', 'celeryev.me'], published.length)
      expect(heard.map(({ payload }) => String(payload)).sort()).toEqual(published.map(({ payload }) => payload).sort())
      expect(events.length).toBeGreaterThan(1)
    })

    test('is heard where it listens', async () => {
      const patterns = commands.flatMap(({ cmd: [command, ...all] }) => (command === 'PSUBSCRIBE' ? all : []))
      expect(patterns).toHaveLength(2)
      const listener = await openRedis(parseBrokerUrl(server.url))
      onTestFinished(() => listener.close())
      const subscriber = await listener.subscriber()
      onTestFinished(() => subscriber.close())
      const heard: { readonly channel: string; readonly message: WireMessage }[] = []
      const all = deferred()
      subscriber.onMessage(({ channel, payload }) => {
        heard.push({ channel, message: decodeEnvelope(payload) })
        if (heard.length === published.length) all.resolve()
      })
      await subscriber.psubscribe(...patterns)

      const connection = await open(transportOptions)
      for (const exchange of ['celery.pidbox', 'celeryev']) {
        await connection.declareExchange({ name: exchange, type: 'fanout' })
      }
      for (const { channel } of published) {
        const { exchange, routingKey } = addressOf(channel, keyPrefix)
        await connection.publish([{ exchange, routingKey, message: text(channel) }])
      }
      await all.promise
      expect(heard.map(({ channel }) => channel)).toEqual(published.map(({ channel }) => channel))
      expect(heard.map(({ message }) => message.body)).toEqual(published.map(({ channel }) => channel))
    })

    test('writes the same bindings, and removes them when it closes', async () => {
      const bindings = commands.flatMap(({ cmd: [command, key = '', entry = ''] }) =>
        command === 'SADD' && /\.(celeryev|celery\.pidbox)$/.test(key) && !key.includes('reply')
          ? [{ key, entry }]
          : [],
      )
      const connection = await open(transportOptions)
      for (const { key, entry } of bindings) {
        const [routingKey = '', , queue = ''] = entry.split(separator)
        await listen(connection, key.slice(`${keyPrefix}_kombu.binding.`.length), routingKey, { name: queue })
      }
      expect(bindings).toHaveLength(2)
      for (const { key, entry } of bindings) expect(await server.send('SISMEMBER', key, entry)).toBe(1)
      await connection.close()
      for (const { key, entry } of bindings) expect(await server.send('SISMEMBER', key, entry)).toBe(0)
    })
  })

  test('keeps databases apart, though PUB/SUB does not', async () => {
    const [zero, three] = [await open({}, '0'), await open({}, '3')]
    for (const connection of [zero, three]) await listen(connection, 'apart', '', { name: 'q' })
    await zero.publish([{ exchange: 'apart', routingKey: '', message: text('zero') }])
    await three.publish([{ exchange: 'apart', routingKey: '', message: text('three') }])
    expect((await take(zero, ['q'], 1)).map(bodyOf)).toEqual(['zero'])
    expect((await take(three, ['q'], 1)).map(bodyOf)).toEqual(['three'])
  })

  test('without patterns every queue hears every key', async () => {
    const connection = await open({ fanout_patterns: false, fanout_prefix: 'mine.' })
    await listen(connection, 'plain', 'worker.#', { name: 'q' })
    await connection.publish([{ exchange: 'plain', routingKey: 'task.sent', message: text('all') }])
    expect((await take(connection, ['q'], 1)).map(bodyOf)).toEqual(['all'])
    expect(await server.send('PUBSUB', 'CHANNELS', 'mine.*')).toEqual(['mine.plain'])
  })

  test('a message that is no envelope is handed on as it is: whoever decodes it says so', async () => {
    const connection = await open()
    await listen(connection, 'odd', '', { name: 'q' })
    await server.send('PUBLISH', '/0.odd', 'not json')
    const [delivery] = await take(connection, ['q'], 1)
    expect(String(delivery?.payload)).toBe('not json')
  })

  test('takes what is stored from a slow server while live messages come faster than it answers', async () => {
    const proxy = await startFaultProxy(server)
    onTestFinished(() => proxy.close())
    const publisher = await open()
    const connection = await redis.open(parseBrokerUrl(proxy.url(server.url)))
    onTestFinished(() => connection.close())
    await listen(connection, 'news', '', { name: 'q' })
    await publisher.declareExchange({ name: 'news', type: 'fanout' })
    await publisher.publish(
      Array.from({ length: 20 }, () => ({ exchange: '', routingKey: 'tasks', message: text('a') })),
    )
    proxy.latency(20)
    const news = () => publisher.publish([{ exchange: 'news', routingKey: '', message: text('news') }])
    const shouting = setInterval(() => void news().catch(() => {}), 5)
    onTestFinished(() => clearInterval(shouting))
    const counts = { q: 0, tasks: 0 }
    while (counts.tasks < 20) {
      const deliveries = await connection.fetch(['q', 'tasks'], { max: 50, signal: AbortSignal.timeout(timeoutMs) })
      for (const { queue } of deliveries) counts[queue as 'q' | 'tasks']++
      expect(counts.q, 'live messages keep the stored ones away').toBeLessThan(2_000)
    }
    await proxy.restore()
  })

  test('the connection is lost when the one that listens is', async () => {
    const connection = await open({ client_name: 'listener' })
    await listen(connection, 'lost', '', { name: 'q' })
    const outcomes = Promise.allSettled([
      connection.fetch(['q'], { max: 1, signal: AbortSignal.timeout(timeoutMs) }),
      connection.closed,
    ])
    await server.send('CLIENT', 'KILL', 'TYPE', 'pubsub')
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_CELERY_CONNECTION_LOST' } })
    }
  })

  test('publishes nothing over a lost connection, and says so', async () => {
    const connection = await open({ client_name: 'publisher' })
    await connection.declareExchange({ name: 'x', type: 'fanout' })
    const failed = connection.closed.catch((error: unknown) => error)
    await server.send('CLIENT', 'KILL', 'TYPE', 'normal')
    await failed
    await expect(connection.publish([{ exchange: 'x', routingKey: '', message: text('a') }])).rejects.toMatchObject({
      code: 'ERR_CELERY_CONNECTION_LOST',
    })
  })

  test.skipIf(isMissing('python-celery'))(
    'a command reaches a worker of Python, its answer and its events come back',
    async () => {
      const connection = await open()
      await listen(connection, 'celeryev', 'worker.#', { name: 'celeryev.watcher' })
      await using worker = await startPythonCeleryWorker({
        appSource: "from celery import Celery\napp = Celery('tasks')\n",
        broker: server.url,
        args: ['--pool=solo'],
      })
      const [online] = await take(connection, ['celeryev.watcher'], 1)
      expect(JSON.parse(bodyOf(online as never))).toMatchObject({ type: 'worker-online', hostname: worker.nodeName })

      const answers = { exchange: 'reply.celery.pidbox', routingKey: 'ours' }
      const queue = 'ours.reply.celery.pidbox'
      await connection.declareExchange({ name: answers.exchange, type: 'direct' })
      await connection.declareQueue({ name: queue, autoDelete: true, expiresMs: 60_000 })
      await connection.bindQueue({ ...answers, queue })
      expect(await server.send('SMEMBERS', '_kombu.binding.reply.celery.pidbox')).toContain(
        ['ours', '', queue].join(separator),
      )
      await connection.declareExchange({ name: 'celery.pidbox', type: 'fanout' })
      // It says that it is ready before it listens for commands: one pattern more than the one of events, which both have.
      while (Number(await server.send('PUBSUB', 'NUMPAT')) < 2) await sleep(20)
      await connection.publish([{ exchange: 'celery.pidbox', routingKey: '', message: ping(answers) }])
      const [answer] = await take(connection, [queue], 1)
      expect(JSON.parse(bodyOf(answer as never))).toEqual({ [worker.nodeName]: { ok: 'pong' } })
    },
    timeoutMs,
  )
})

async function listen(
  connection: BrokerConnection,
  exchange: string,
  routingKey: string,
  queue: QueueDeclaration,
): Promise<void> {
  await connection.declareExchange({ name: exchange, type: 'fanout' })
  await connection.declareQueue({ autoDelete: true, ...queue })
  await connection.bindQueue({ queue: queue.name, exchange, routingKey })
}

type Deliveries = Awaited<ReturnType<BrokerConnection['fetch']>>

async function take(connection: BrokerConnection, queues: readonly string[], count: number): Promise<Deliveries> {
  const deliveries = []
  const signal = AbortSignal.timeout(timeoutMs)
  while (deliveries.length < count) deliveries.push(...(await connection.fetch(queues, { max: count, signal })))
  return deliveries
}

function bodyOf({ payload }: Pick<Deliveries[number], 'payload'>): string {
  return Buffer.from(decodeEnvelope(payload as string).body).toString()
}

function text(body: string): WireMessage {
  return { body, contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
}

function ping(answers: { readonly exchange: string; readonly routingKey: string }): WireMessage {
  const command = {
    method: 'ping',
    arguments: {},
    destination: null,
    pattern: null,
    matcher: null,
    ticket: 'a6b42f52-7b34-4f3a-9a52-3b6a3f6d1c11',
    reply_to: { exchange: answers.exchange, routing_key: answers.routingKey },
  }
  return { ...text(JSON.stringify(command)), contentType: 'application/json', headers: { clock: 1 } }
}

/** What a channel was named for: `[prefix]/0.<exchange>[/<routing key>]`. */
function addressOf(channel: string, keyPrefix: string): { readonly exchange: string; readonly routingKey: string } {
  const [exchange = '', routingKey = ''] = channel.slice(`${keyPrefix}/0.`.length).split('/')
  return { exchange, routingKey }
}
