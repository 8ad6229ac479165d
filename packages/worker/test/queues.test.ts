import { Celery, type SettingsInput, workerDirect } from '@celery/app'
import { memory as memoryBackend } from '@celery/backend-memory'
import { Broadcast, Exchange, Queue } from '@celery/messaging'
import { parseBrokerUrl } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startWorker, type WorkerOptions } from '../src/index.ts'

const ignore = (): void => {}
const logger = {
  ...{ debug: ignore, info: ignore, warning: ignore, error: ignore, critical: ignore },
  isEnabled: () => false,
}

/** Apps on one broker, each of which notes what its worker runs. */
function setUp() {
  const transport = memoryTransport()
  const ran: string[] = []
  const app = (name: string, settings: SettingsInput = {}): Celery => {
    const made = new Celery(name, { broker: 'memory://', backend: 'memory://queues', settings, notify: ignore })
    made.transports.register('memory', async () => transport)
    made.backends.register('memory', async () => memoryBackend)
    made.task('note', (what: string) => {
      ran.push(`${name} ${what}`)
      return name
    })
    onTestFinished(() => made.close())
    return made
  }
  const worker = (of: Celery, options: WorkerOptions = {}) => startWorker(of, { logger, concurrency: 1, ...options })
  return { app, ran, transport, worker }
}

async function runs(app: Celery, options: object): Promise<unknown> {
  return (await app.sendTask('note', ['it'], options)).get({ timeout: 20 })
}

test('an exchange that another app has left as one of another type keeps a worker from starting, with the reason', async () => {
  const { app, worker } = setUp()
  const mail = (exchangeType: 'direct' | 'topic') => ({ taskQueues: { mail: { exchange: 'mail', exchangeType } } })
  await (await worker(app('first', mail('topic')))).stop()
  await expect(worker(app('second', mail('direct')))).rejects.toMatchObject({
    name: 'ExchangeMismatchError',
    message: expect.stringContaining('exchange "mail" is of type topic and cannot be declared as direct'),
  })
})

describe('CONF-114 the queues of a worker', () => {
  const taskQueues = {
    default: { bindingKey: 'task.#' },
    feeds: { exchange: 'media', exchangeType: 'topic', routingKey: 'feed.*' },
    videos: {},
  } as const

  test('are all of taskQueues, declared as they are described', async () => {
    const { app, worker } = setUp()
    const consumer = app('worker', { taskQueues, taskDefaultQueue: 'default' })
    await using running = await worker(consumer)
    expect(running.queues).toEqual(['default', 'feeds', 'videos'])
    const client = app('client')
    expect(await runs(client, { queue: 'videos' })).toBe('worker')
    expect(await runs(client, { exchange: 'media', routingKey: 'feed.sports' })).toBe('worker')
    expect(await runs(consumer, {})).toBe('worker')
    await expect(client.sendTask('note', ['it'], { exchange: 'media', routingKey: 'mail.sports' })).rejects.toThrow(
      'mail.sports',
    )
  })

  test('WORK-004 APP-036 are those that were selected', async () => {
    const { app, ran, transport, worker } = setUp()
    const consumer = app('worker', { taskQueues })
    await using running = await worker(consumer, { queues: ['videos', 'more'] })
    expect(running.queues).toEqual(['videos', 'more'])
    await consumer.sendTask('note', ['left'], { queue: 'feeds' })
    expect(await runs(consumer, { queue: 'more' })).toBe('worker')
    expect(ran).toEqual(['worker it'])
    await using broker = await transport.open(parseBrokerUrl('memory://'))
    expect((await broker.declareQueue({ name: 'feeds' })).ready).toBe(1)
    const selecting = app('selecting', { taskQueues })
    selecting.selectQueues(['default'])
    await using other = await worker(selecting)
    expect(other.queues).toEqual(['default'])
  })

  test('CONF-121 are not those that this process has only sent to', async () => {
    const { app, ran, transport, worker } = setUp()
    const both = app('both', { taskQueues: ['a', 'b'] })
    await both.sendTask('note', ['left'], { queue: 'elsewhere' })
    await using running = await worker(both)
    expect(running.queues).toEqual(['a', 'b'])
    expect(await runs(both, { queue: 'a' })).toBe('both')
    expect(ran).toEqual(['both it'])
    await using broker = await transport.open(parseBrokerUrl('memory://'))
    expect(await broker.declareQueue({ name: 'elsewhere' })).toMatchObject({ held: 0, ready: 1 })
  })

  test('CONF-121 must be known where none are made', async () => {
    const { app, worker } = setUp()
    const consumer = app('worker', { taskQueues, taskCreateMissingQueues: false })
    await expect(worker(consumer, { queues: ['vidoes'] })).rejects.toThrow('did you mean "videos"?')
  })

  test('CALL-038 may have several ways into them, and be left as they are', async () => {
    const { app, transport, worker } = setUp()
    await using broker = await transport.open(parseBrokerUrl('memory://'))
    await new Exchange('theirs', { type: 'fanout' }).declare(broker)
    const bindings = [
      { exchange: new Exchange('a'), routingKey: 'x' },
      { exchange: new Exchange('theirs', { type: 'fanout', noDeclare: true }) },
    ]
    const consumer = app('worker', { taskQueues: [new Queue('q', { bindings })] })
    await using _running = await worker(consumer)
    expect(await runs(consumer, { exchange: 'a', routingKey: 'x' })).toBe('worker')
    expect(await runs(consumer, { exchange: 'theirs', routingKey: '' })).toBe('worker')
  })
})

test('CALL-040 a broadcast reaches every worker', async () => {
  const { app, ran, worker } = setUp()
  const queues = () => ({ taskQueues: [new Broadcast('news'), 'celery'] })
  await using _first = await worker(app('first', queues()))
  await using _second = await worker(app('second', queues()))
  const client = app('client', queues())
  await client.sendTask('note', ['news'], { queue: 'news', ignoreResult: true })
  await vi.waitFor(() => expect(ran.toSorted()).toEqual(['first news', 'second news']), { timeout: 20_000 })
})

test('CALL-041 WORK-031 CONF-120 a worker with workerDirect has a queue that only it consumes from', async () => {
  const { app, worker } = setUp()
  await using first = await worker(app('first', { workerDirect: true }), { hostname: 'w1@host' })
  await using _second = await worker(app('second', { workerDirect: true }), { hostname: 'w2@host' })
  expect(first.queues).toEqual(['celery', 'w1@host.dq2'])
  const client = app('client')
  for (const [node, name] of [
    ['w1@host', 'first'],
    ['w2@host', 'second'],
    ['w1@host', 'first'],
  ] as const) {
    expect(await runs(client, { queue: workerDirect(node) })).toBe(name)
    // As Python addresses it.
    expect(await runs(client, { exchange: 'C.dq2', routingKey: node })).toBe(name)
  }
})
