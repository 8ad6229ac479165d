import { currentApp, sharedTask } from '@celery/app'
import { deferred } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { createTestApp, forbidCurrentApp, type TestApp } from '../src/index.ts'

function adder({ app }: TestApp) {
  return app.task('add', (x: number, y: number) => x + y)
}

/** The broker's own time is real: pauses between attempts are short, and deadlines too. */
const settings = {
  taskPublishRetryPolicy: { maxRetries: 2, intervalStart: 0, intervalStep: 0.01, intervalMax: 0.01 },
}

describe('faults', () => {
  test('a publish that is refused once is tried again', async () => {
    await using celery = createTestApp({ settings })
    const add = adder(celery)
    celery.faults.inject('publish', { type: 'refuse' })
    await add.delay(1, 1)
    expect(celery.faults.calls('publish')).toBe(2)
    expect(celery.allSent(add)).toHaveLength(1)
  })

  test('a publish that is always refused is told to the caller', async () => {
    await using celery = createTestApp({ settings })
    const add = adder(celery)
    celery.faults.inject('publish', { type: 'refuse' }, { times: Number.POSITIVE_INFINITY })
    await expect(add.delay(1, 1)).rejects.toThrow()
    celery.expectNotSent()
    celery.faults.clear('publish')
    await add.delay(1, 1)
    celery.expectSent(add)
  })

  test('any error can be given, and is final', async () => {
    await using celery = createTestApp({ settings })
    const error = new Error('the broker is full')
    celery.faults.inject('publish', { type: 'refuse', error })
    await expect(adder(celery).delay(1, 1)).rejects.toBe(error)
    expect(celery.faults.calls('publish')).toBe(1)
  })

  test('a broker that is slow once keeps no dead letter from being put back', async () => {
    await using celery = createTestApp()
    const { id } = await celery.app.sendTask('unknown')
    await celery.drain()
    celery.faults.inject('fetch', { type: 'hang' })
    expect(await celery.app.deadLetters().requeue('all')).toEqual({ requeued: [id], unreadable: [] })
    expect(celery.faults.calls('fetch')).toBeGreaterThanOrEqual(2)
  })

  test('a message whose confirmation was lost is there once', async () => {
    await using celery = createTestApp({ settings })
    const add = adder(celery)
    celery.faults.inject('publish', { type: 'lose-reply' })
    await add.delay(1, 1)
    expect(celery.faults.calls('publish')).toBe(2)
    expect(celery.sent).toHaveLength(1)
    expect(await celery.drain()).toHaveLength(1)
  })

  test('who is not told may be told of a loss that there is not', async () => {
    await using celery = createTestApp()
    const add = adder(celery)
    celery.faults.inject('publish', { type: 'lose-reply' })
    await expect(add.applyAsync([1, 1], { retry: false })).rejects.toThrow()
    celery.expectSent(add)
    expect(await celery.drain()).toMatchObject([{ result: 2 }])
  })

  test('a broker that hangs meets the deadline of the caller', async () => {
    await using celery = createTestApp({ settings: { publishTimeoutMs: 50 } })
    celery.faults.inject('publish', { type: 'hang' }, { times: Number.POSITIVE_INFINITY })
    await expect(adder(celery).delay(1, 1)).rejects.toThrow()
    celery.expectNotSent()
    celery.faults.clear()
  })

  test('a broker that cannot be reached', async () => {
    await using celery = createTestApp({ settings })
    celery.faults.inject('connect', { type: 'refuse' }, { times: Number.POSITIVE_INFINITY })
    await expect(adder(celery).delay(1, 1)).rejects.toThrow()
    celery.faults.clear()
  })

  test('a slow acknowledgement holds nothing up but itself', async () => {
    await using celery = createTestApp({ settings: { taskAcksLate: true } })
    const add = adder(celery)
    const gate = deferred()
    await using worker = await celery.startWorker({ concurrency: 2 })
    celery.faults.inject('settle', { type: 'delay', until: gate.promise })
    const result = await add.delay(1, 1)
    expect(await result.get({ timeout: 10 })).toBe(2)
    expect(await celery.queue()).toMatchObject({ held: 1 })
    gate.resolve()
    await worker.idle()
    expect(await celery.queue()).toMatchObject({ held: 0 })
  })

  test('a store that is away is tried again until it is back', async () => {
    await using celery = createTestApp()
    const add = adder(celery)
    celery.faults.inject('store', { type: 'refuse' }, { times: 2 })
    await using worker = await celery.startWorker()
    const result = await add.delay(1, 1)
    await worker.idle()
    expect(await result.get({ timeout: 10 })).toBe(2)
    expect(worker.log).toContainEqual(expect.stringContaining('cannot store results, trying again'))
  })

  test('a store that cannot be read is told to who asks', async () => {
    await using celery = createTestApp()
    celery.faults.inject('read', { type: 'refuse' })
    await expect(celery.app.asyncResult('a').state()).rejects.toMatchObject({ code: 'ERR_CELERY_BACKEND_UNAVAILABLE' })
  })

  test('a connection that is cut gives back what it held, and the worker comes back', async () => {
    await using celery = createTestApp({ settings: { taskAcksLate: true } })
    const gate = deferred()
    const running = deferred()
    let runs = 0
    const slow = celery.app.task('slow', async () => {
      runs++
      running.resolve()
      await gate.promise
      return 'done'
    })
    await using worker = await celery.startWorker({ concurrency: 2 })
    const result = await slow.delay()
    await running.promise
    await celery.faults.cut()
    gate.resolve()
    expect(await result.get({ timeout: 20 })).toBe('done')
    await worker.idle()
    expect(runs).toBe(2)
  })

  test('a fault befalls at least one call', async () => {
    await using celery = createTestApp()
    expect(() => celery.faults.inject('store', { type: 'hang' }, { times: 0 })).toThrow(RangeError)
  })
})

describe('forbidCurrentApp', () => {
  test('TEST-004 makes every use of the current app an error, until it is disposed', () => {
    const task = sharedTask('shared', () => 1)
    {
      using _trap = forbidCurrentApp()
      expect(() => currentApp()).toThrow('the current app is used where an app should have been handed over')
      expect(() => task()).toThrow('the current app is used')
    }
    expect(currentApp().main).toBe('default')
  })

  test('brings back what the variable was before', () => {
    process.env.C_STRICT_APP = '0'
    {
      using _trap = forbidCurrentApp()
      expect(process.env.C_STRICT_APP).toBe('1')
    }
    expect(process.env.C_STRICT_APP).toBe('0')
    delete process.env.C_STRICT_APP
  })
})
