import { Celery } from '@celery/app'
import { memory as memoryBackend } from '@celery/backend-memory'
import { systemClock } from '@celery/promises'
import { parseBrokerUrl } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createTestApp, isolateApp } from '../src/index.ts'

/** An app as a user's module exports it, with a broker of its own that a test must not touch. */
function ownApp() {
  const app = new Celery('own', {
    broker: 'production://host',
    backend: 'production://host',
    notify: () => {},
    setAsCurrent: false,
    settings: { taskDefaultQueue: 'jobs', taskAcksLate: true },
  })
  const transport = memoryTransport()
  app.transports.register('production', async () => transport)
  app.backends.register('production', async () => memoryBackend)
  onTestFinished(() => app.close())
  const add = app.task('add', (x: number, y: number) => x + y)
  const waiting = async (): Promise<number> => {
    await using broker = await transport.open(parseBrokerUrl('production://host'))
    return (await broker.declareQueue({ name: 'jobs' })).ready
  }
  return { app, add, waiting }
}

describe('isolateApp', () => {
  test('TEST-003 keeps the calls of an app from its own broker, and its results from its own store', async () => {
    const { add, app, waiting } = ownApp()
    await using celery = isolateApp(app)
    const result = await add.delay(2, 3)
    await celery.drain()
    expect(await result.get({ timeout: 10 })).toBe(5)
    expect(await waiting()).toBe(0)
    expect(app.conf.brokerUrl).toBe('memory://')
    expect(app.brokerAddress).toBe('memory://')
  })

  test('keeps calls from it also where they name its URL', async () => {
    const { app, waiting } = ownApp()
    await using celery = isolateApp(app)
    await using connection = app.connectionForWrite({ url: 'production://host' })
    const message = { headers: {}, properties: {}, contentType: 'text/plain', contentEncoding: 'utf-8', body: 'x' }
    await (await connection.broker()).publish([{ exchange: '', routingKey: 'jobs', message }])
    expect(await waiting()).toBe(0)
    expect(await celery.queue('jobs')).toMatchObject({ ready: 1 })
  })

  test('TEST-001 sends also what an app would run eagerly, and drain runs it', async () => {
    const { add, app } = ownApp()
    app.conf.taskAlwaysEager = true
    await using celery = isolateApp(app)
    await add.delay(2, 3)
    celery.expectSent(add, { args: [2, 3] })
    expect(await celery.drain()).toMatchObject([{ result: 5 }])
    app.conf.taskAlwaysEager = true
    await add.delay(2, 3)
    expect(celery.sent).toHaveLength(1)
  })

  test('brings everything back: broker, store, settings as they were, time', async () => {
    const { add, app, waiting } = ownApp()
    app.conf.taskTimeLimit = 60
    const celery = isolateApp(app, { settings: { taskAcksLate: false, taskTimeLimit: 1 } })
    expect([app.conf.taskAcksLate, app.conf.taskTimeLimit]).toEqual([false, 1])
    app.conf.taskSoftTimeLimit = 30
    await celery.close()
    await celery.close()
    const { brokerUrl, resultBackend, taskAcksLate, taskSoftTimeLimit, taskTimeLimit } = app.conf
    expect({ brokerUrl, resultBackend, taskAcksLate, taskSoftTimeLimit, taskTimeLimit }).toEqual({
      brokerUrl: 'production://host',
      resultBackend: 'production://host',
      taskAcksLate: true,
      taskSoftTimeLimit: undefined,
      taskTimeLimit: 60,
    })
    await add.delay(2, 3)
    expect(await waiting()).toBe(1)
  })

  test('brings back where its tasks log to', async () => {
    const { app } = ownApp()
    const { level, write } = app.taskLog
    const celery = isolateApp(app)
    await celery.startWorker()
    expect(app.taskLog.level).toBe('info')
    await celery.close()
    expect([app.taskLog.level, app.taskLog.write]).toEqual([level, write])
  })

  test('goes on with what the app had opened before', async () => {
    const { add, app, waiting } = ownApp()
    await add.delay(1, 1)
    await isolateApp(app).close()
    await add.delay(2, 2)
    expect(await waiting()).toBe(2)
  })

  test('is refused while the app is under test already', async () => {
    const { app } = ownApp()
    await using _celery = isolateApp(app, { clock: systemClock })
    expect(() => isolateApp(app)).toThrow('the app "own" is being tested already; end that test before')
  })

  test('each test begins with nothing', async () => {
    const { add, app } = ownApp()
    const first = isolateApp(app)
    const { id } = await add.delay(2, 3)
    await first.close()
    await using second = isolateApp(app)
    expect(second.sent).toEqual([])
    expect(await second.drain()).toEqual([])
    expect(await app.asyncResult(id).state()).toBe('PENDING')
  })

  test('ends the wait of who still waits for a result when the test ends', async () => {
    const { add, app } = ownApp()
    const celery = isolateApp(app)
    const waiting = (await add.delay(2, 3)).get()
    const ended = expect(waiting).rejects.toMatchObject({ code: 'ERR_CELERY_APP_CLOSED' })
    await celery.close()
    await ended
  })

  test('closes what the app had opened before, where the test has closed the app', async () => {
    const { add, app } = ownApp()
    await add.delay(1, 1)
    const celery = isolateApp(app)
    await app.close()
    await celery.close()
    await expect(add.delay(1, 1)).rejects.toMatchObject({ code: 'ERR_CELERY_APP_CLOSED' })
  })
})

describe('createTestApp', () => {
  test('TEST-003 TEST-006 makes an app in memory that is not the current one, and closes it', async () => {
    const celery = createTestApp({ name: 'mine' })
    expect(celery.app.main).toBe('mine')
    const double = celery.app.task('double', (n: number) => 2 * n)
    const result = await double.delay(21)
    await celery.drain()
    expect(await result.get({ timeout: 10 })).toBe(42)
    await celery.close()
    await expect(double.delay(1)).rejects.toMatchObject({ code: 'ERR_CELERY_APP_CLOSED' })
  })

  test('TEST-008 takes settings', async () => {
    await using celery = createTestApp({ settings: { taskDefaultQueue: 'other', task_time_limit: 5 } })
    expect([celery.app.conf.taskDefaultQueue, celery.app.conf.taskTimeLimit]).toEqual(['other', 5])
  })

  test('apps under test share nothing', async () => {
    await using one = createTestApp()
    await using two = createTestApp()
    const result = await one.app.task('one', () => 1).delay()
    await one.drain()
    expect(two.sent).toEqual([])
    expect(await two.app.asyncResult(result.id).state()).toBe('PENDING')
  })
})
