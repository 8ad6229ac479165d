import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '@celery/sqlite'
import { isMissing, startRedis } from '@celery/test-servers'
import type { BrokerConnection } from '@celery/transport'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Celery } from '../src/index.ts'
import { ProjectFolder } from './project-folder.ts'
import { untilAsync } from './scene.ts'

const brokers = {
  memory: () => `memory://dead-letters-${Math.random()}`,
  sqlite: (folder: string) => `sqlite:///${join(folder, 'queue.db')}`,
}

describe.each(Object.entries(brokers))('dead letters of %s', (_name, urlIn) => {
  let folder: string
  let app: Celery
  let broker: BrokerConnection

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'celery-dead-'))
    const url = urlIn(folder)
    app = new Celery('dead', { broker: url, backend: url, setAsCurrent: false })
    broker = await app.connectionForWrite().broker()
  })

  afterEach(async () => {
    await broker.close()
    await app.close()
    rmSync(folder, { recursive: true })
  })

  /** Sends a call and puts its message among the dead letters, as a worker does. */
  async function bury(task: string, args: readonly unknown[], reason: string): Promise<string> {
    const { id } = await app.sendTask(task, args)
    const [delivery] = await broker.fetch(['celery'], { max: 1, signal: AbortSignal.timeout(5_000) })
    await broker.settle([{ delivery: delivery as NonNullable<typeof delivery>, action: { type: 'dead', reason } }])
    return id
  }

  async function listed({ limit, queue }: { readonly limit?: number; readonly queue?: string } = {}) {
    const letters = []
    for await (const letter of app.deadLetters(queue).list(limit === undefined ? {} : { limit })) letters.push(letter)
    return letters
  }

  const ready = async (queue: string): Promise<number> => (await broker.declareQueue({ name: queue })).ready

  test('are listed, and stay where they are', async () => {
    const first = await bury('video.encode', ['a.mp4'], 'no task "video.encode"')
    const second = await bury('add', [1, 2], 'it came back 5 times')
    for (let n = 0; n < 2; n++) {
      expect(await listed()).toMatchObject([
        {
          id: first,
          task: 'video.encode',
          queue: 'celery',
          reason: 'no task "video.encode"',
          argsrepr: "('a.mp4',)",
          retries: 0,
          error: undefined,
        },
        { id: second, task: 'add', argsrepr: '(1, 2)', reason: 'it came back 5 times' },
      ])
    }
    const [only] = await listed({ limit: 1 })
    expect(only?.id).toBe(first)
    expect(await ready('celery.dead')).toBe(2)
  })

  test('that whoever looks at them no longer wants are back at once', async () => {
    for (let n = 0; n < 45; n++) await bury('add', [n, n], 'why not')
    for await (const letter of app.deadLetters().list()) if (letter.argsrepr === '(21, 21)') break
    expect(await ready('celery.dead')).toBe(45)
    expect((await listed()).map(({ argsrepr }) => argsrepr)).toEqual(
      Array.from({ length: 45 }, (_, n) => `(${n}, ${n})`),
    )
  })

  test('of a queue where nothing is dead are none', async () => {
    expect(await listed({ queue: 'nothing' })).toEqual([])
    expect(await app.deadLetters('nothing').requeue('all')).toEqual({ requeued: [], unreadable: [] })
    expect(await app.deadLetters('nothing').purge('all')).toBe(0)
  })

  test('that are copies, of messages acknowledged before, say why in a header, which is gone when they are put back', async () => {
    const { id } = await app.sendTask('add', [1, 2])
    const [delivery] = await broker.fetch(['celery'], { max: 1, signal: AbortSignal.timeout(5_000) })
    await broker.settle([
      {
        delivery: delivery as NonNullable<typeof delivery>,
        action: { type: 'ack' },
        publish: [
          {
            exchange: '',
            routingKey: 'celery.dead',
            message: {
              body: 'not json',
              contentType: 'application/json',
              contentEncoding: 'utf-8',
              headers: { id, 'x-celery-dead-reason': 'the body is no JSON' },
              properties: {},
            },
          },
        ],
      },
    ])
    expect(await listed()).toMatchObject([{ id, task: undefined, reason: 'the body is no JSON' }])
    expect((await listed())[0]?.error?.message).toContain('cannot read application/json')
    expect((await app.deadLetters().requeue([id])).requeued).toEqual([id])
    const [again] = await broker.fetch(['celery'], { max: 1, signal: AbortSignal.timeout(5_000) })
    expect(String(again?.payload)).not.toContain('x-celery-dead-reason')
    expect(String(again?.payload)).toContain('not json')
  })

  test('are put back under their ids, as if for the first time, and a worker that knows the task runs them', async () => {
    const ids = [await bury('add', [1, 2], 'no such task'), await bury('add', [3, 4], 'no such task')]
    const other = await bury('other', [], 'no such task')
    const letters = app.deadLetters()
    expect(await letters.requeue(ids)).toEqual({ requeued: ids, unreadable: [] })
    expect(await ready('celery')).toBe(2)
    expect((await listed()).map(({ id }) => id)).toEqual([other])
    const deliveries = await broker.fetch(['celery'], { max: 5, signal: AbortSignal.timeout(5_000) })
    expect(deliveries).toMatchObject([{ redeliveries: 0 }, { redeliveries: 0 }])
    expect(deliveries.every(({ deadReason }) => deadReason === undefined)).toBe(true)
    await broker.settle(
      deliveries.map((delivery) => ({ delivery, action: { type: 'requeue' as const, counted: false } })),
    )

    app.task('add', (x: number, y: number) => x + y)
    await using _worker = await app.startWorker({ logLevel: 'critical' })
    const values = await Promise.all(ids.map((id) => app.asyncResult(id).get({ timeout: 20 })))
    expect(values).toEqual([3, 7])
  })

  test('of a task that failed for want of it are a success when it runs at last', async () => {
    const worker = await app.startWorker({ logLevel: 'critical' })
    const { id } = await app.sendTask('late', [20])
    await expect(app.asyncResult(id).get({ timeout: 20 })).rejects.toThrow(/late/)
    await untilAsync(async () => (await ready('celery.dead')) === 1, 'the message to be dead')
    await worker.stop()
    app.task('late', (x: number) => x + 1)
    expect((await app.deadLetters().requeue((letter) => letter.task === 'late')).requeued).toEqual([id])
    await using _worker = await app.startWorker({ logLevel: 'critical' })
    await untilAsync(async () => (await app.asyncResult(id).state()) === 'SUCCESS', 'the task to succeed')
    expect(await app.asyncResult(id).get()).toBe(21)
  })

  test('that die again while they are put back are not put back for ever', async () => {
    await using _worker = await app.startWorker({ logLevel: 'critical' })
    const sent = await Promise.all(Array.from({ length: 50 }, () => app.sendTask('unknown')))
    await untilAsync(async () => (await ready('celery.dead')) === 50, 'all to be dead')
    const { requeued } = await app.deadLetters().requeue('all')
    expect(requeued.toSorted()).toEqual(sent.map(({ id }) => id).toSorted())
    await untilAsync(async () => (await ready('celery.dead')) === 50, 'all to be dead again')
  })

  test('are deleted by id, by what they are, or all', async () => {
    const [a, b] = [await bury('a', [], 'bad'), await bury('b', [], 'bad')]
    await bury('c', [], 'bad')
    await bury('c', [], 'bad')
    expect(await app.deadLetters().purge([a, 'unknown'])).toBe(1)
    expect((await listed()).map(({ task }) => task)).toEqual(['b', 'c', 'c'])
    expect(await app.deadLetters().purge(({ id }) => id === b)).toBe(1)
    expect(await app.deadLetters().purge('all')).toBe(2)
    expect(await listed()).toEqual([])
  })

  test('of protocol 1, which has the name in the body, are named too', async () => {
    const message = {
      body: JSON.stringify({ task: 'old.add', id: 'old-id', args: [1, 2], kwargs: {}, retries: 3 }),
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers: {},
      properties: {},
    }
    await broker.publish([{ exchange: '', routingKey: 'celery.dead', message }])
    expect(await listed()).toMatchObject([
      { id: 'old-id', task: 'old.add', argsrepr: '(1, 2)', retries: 3, reason: 'the broker does not say' },
    ])
  })

  test('an aborted look at them holds none', async () => {
    await bury('a', [], 'bad')
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(app.deadLetters().requeue('all', { signal: aborted })).rejects.toThrow('enough')
    expect(await ready('celery.dead')).toBe(1)
  })
})

test('what cannot be read at all is listed by what it holds, stays when it is put back, and can be deleted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'celery-dead-'))
  const url = `sqlite:///${join(folder, 'queue.db')}`
  const app = new Celery('unreadable', { broker: url, backend: url, setAsCurrent: false })
  try {
    await using broker = await app.connectionForWrite().broker()
    await app.sendTask('good')
    await app.sendTask('bad')
    const deliveries = await broker.fetch(['celery'], { max: 2, signal: AbortSignal.timeout(5_000) })
    await broker.settle(deliveries.map((delivery) => ({ delivery, action: { type: 'dead', reason: 'no envelope' } })))
    const bad = deliveries.find(({ payload }) => String(payload).includes('"bad"'))?.tag as string
    const database = await openDatabase(join(folder, 'queue.db'))
    database.prepare("UPDATE message SET payload = 'not json' WHERE tag = ?").run([bad])
    database.close()

    const letters = app.deadLetters()
    const found = []
    for await (const letter of letters.list()) found.push(letter)
    expect(found).toMatchObject([
      { task: 'good', error: undefined },
      {
        id: expect.stringMatching(/^[0-9a-f]{16}$/),
        task: undefined,
        reason: 'no envelope',
        message: undefined,
        payload: 'not json',
      },
    ])
    const unreadable = found[1]?.id ?? ''
    expect(found[1]?.error?.message).toContain('invalid message envelope')
    expect(await letters.requeue('all')).toEqual({ requeued: [found[0]?.id], unreadable: [unreadable] })
    expect(await letters.purge([unreadable])).toBe(1)
    expect(await letters.purge('all')).toBe(0)
  } finally {
    await app.close()
    rmSync(folder, { recursive: true })
  }
})

test.skipIf(isMissing('redis'))(
  'on Redis what cannot be read has the same id at each look',
  { timeout: 60_000 },
  async () => {
    await using server = await startRedis()
    await using folder = new ProjectFolder()
    const app = new Celery('unreadable', { broker: server.url, root: folder.path, setAsCurrent: false })
    try {
      await using broker = await app.connectionForWrite().broker()
      await server.send('LPUSH', 'celery', 'one', 'other')
      const deliveries = await broker.fetch(['celery'], { max: 2, signal: AbortSignal.timeout(30_000) })
      await broker.settle(deliveries.map((delivery) => ({ delivery, action: { type: 'dead', reason: 'no envelope' } })))

      const letters = app.deadLetters()
      const ids = async (): Promise<readonly string[]> => {
        const found: string[] = []
        for await (const { id } of letters.list()) found.push(id)
        return found
      }
      const listed = await ids()
      expect(new Set(listed).size).toBe(2)
      expect(await ids()).toEqual(listed)
      expect(await letters.purge(listed.slice(0, 1))).toBe(1)
      expect(await ids()).toEqual(listed.slice(1))
    } finally {
      await app.close()
    }
  },
)
