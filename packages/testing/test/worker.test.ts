import { NotRegisteredError } from '@celery/app'
import { deferred, systemClock } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { createTestApp } from '../src/index.ts'

describe('startWorker', () => {
  test('TEST-005 TEST-012 resolves when the worker takes messages, which are run as anywhere', async () => {
    await using celery = createTestApp()
    const add = celery.app.task('add', (x: number, y: number) => x + y)
    await using worker = await celery.startWorker()
    expect([worker.worker.concurrency, worker.worker.poolName]).toEqual([1, 'async'])
    expect(await (await add.delay(2, 3)).get({ timeout: 10 })).toBe(5)
    await worker.idle()
    expect(celery.runs).toMatchObject([{ state: 'SUCCESS', task: 'add', result: 5 }])
  })

  test('TEST-009 keeps what it logs instead of writing it', async () => {
    await using celery = createTestApp()
    const fail = celery.app.task('fail', () => {
      throw new Error('broken')
    })
    await using worker = await celery.startWorker()
    const { id } = await fail.delay()
    await worker.idle()
    expect(worker.log).toContain(`INFO: Task fail[${id}] received`)
    expect(worker.log).toContainEqual(expect.stringMatching(/^ERROR: Task fail\[.*broken/))
  })

  test('idle waits for chains to their end, and for what is stored', async () => {
    await using celery = createTestApp()
    const add = celery.app.task('add', (x: number, y: number) => x + y)
    await using worker = await celery.startWorker({ concurrency: 3 })
    const result = await add.s(1, 1).pipe(add.s(10)).pipe(add.s(100)).delay()
    await worker.idle()
    expect(await result.state()).toBe('SUCCESS')
    expect(celery.runs.map((run) => run.state === 'SUCCESS' && run.result)).toEqual([2, 12, 112])
  })

  test('idle waits for a task that runs, acknowledged early and without a result', async () => {
    await using celery = createTestApp()
    const gate = deferred()
    const running = deferred()
    const slow = celery.app.task(
      'slow',
      async () => {
        running.resolve()
        await gate.promise
      },
      { ignoreResult: true },
    )
    await using worker = await celery.startWorker()
    await slow.delay()
    await running.promise
    let isIdle = false
    const idle = worker.idle().then(() => {
      isIdle = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(isIdle).toBe(false)
    gate.resolve()
    await idle
    expect(celery.runs).toMatchObject([{ state: 'SUCCESS' }])
  })

  test('idle says at its deadline what still runs, and which queues are used', async () => {
    await using celery = createTestApp()
    const gate = deferred()
    const running = deferred()
    const slow = celery.app.task('slow', () => {
      running.resolve()
      return gate.promise
    })
    await using worker = await celery.startWorker({ queues: ['celery', 'other'] })
    const { id } = await slow.delay()
    await running.promise
    await expect(worker.idle({ timeoutMs: 100 })).rejects.toThrow(
      `the worker was not done within 100 ms; still running: slow[${id}]; queues used: celery, other, this worker takes celery, other`,
    )
    const error: Error = await worker.idle({ timeoutMs: 1 }).catch((reason) => reason)
    expect(error.stack).toMatch(/^NotIdleError: .*\n\s+at .*worker\.test\.ts/)
    gate.resolve()
    await worker.idle()
  })

  test('stop says which task does not end, and stops all the same', async () => {
    await using celery = createTestApp()
    const running = deferred()
    const forever = celery.app.task('forever', () => {
      running.resolve()
      return new Promise<never>(() => {})
    })
    const worker = await celery.startWorker({ shutdownTimeoutMs: 50 })
    const result = await forever.delay()
    await running.promise
    await expect(worker.stop()).rejects.toMatchObject({
      code: 'ERR_CELERY_NOT_IDLE',
      running: [`forever[${result.id}]`],
    })
    await worker.worker.closed
    await expect(result.get({ timeout: 10 })).rejects.toMatchObject({ name: 'WorkerLostError' })
  })

  test('that cannot be stopped is told of when its test ends, and the app is closed all the same', async () => {
    const celery = createTestApp()
    const running = deferred()
    const forever = celery.app.task('forever', () => {
      running.resolve()
      return new Promise<never>(() => {})
    })
    await celery.startWorker({ shutdownTimeoutMs: 50 })
    await forever.delay()
    await running.promise
    await expect(celery.close()).rejects.toMatchObject({ code: 'ERR_CELERY_NOT_IDLE' })
    await expect(forever.delay()).rejects.toMatchObject({ code: 'ERR_CELERY_APP_CLOSED' })
  })

  test('is stopped with its test', async () => {
    const celery = createTestApp()
    const { worker } = await celery.startWorker()
    await celery.close()
    await worker.closed
    expect(worker.active).toBe(0)
  })

  test('what starts no worker leaves nothing behind', async () => {
    await using celery = createTestApp()
    await expect(celery.startWorker({ include: ['./is-not-there.ts'] })).rejects.toThrow('is-not-there')
    await celery.app.task('add', () => 1).delay()
    await celery.drain()
    expect(celery.runs).toHaveLength(1)
  })

  test('TEST-011 untilState waits for a state, and says which one it is instead', async () => {
    await using celery = createTestApp()
    const gate = deferred()
    const work = celery.app.task(
      'work',
      async (context) => {
        await context.updateState('HALFWAY', { percent: 50 })
        await gate.promise
      },
      { bind: true },
    )
    await using _worker = await celery.startWorker()
    const result = await work.delay()
    await celery.untilState(result, 'HALFWAY')
    await expect(celery.untilState(result.id, 'SUCCESS', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'ERR_ASSERTION',
      actual: 'HALFWAY',
      expected: 'SUCCESS',
      stack: expect.stringContaining('worker.test.ts'),
    })
    gate.resolve()
    await celery.untilState(result, 'SUCCESS')
  })
})

describe('drain', () => {
  test('runs what waits, and what that sends, also to queues that nobody has used before', async () => {
    await using celery = createTestApp()
    const { app } = celery
    const mail = app.task('mail', (to: string) => `mail to ${to}`, { queue: 'mail' })
    const order = app.task('order', async (who: string) => {
      await mail.delay(who)
    })
    await order.delay('Ada')
    await order.applyAsync(['Bob'], { queue: 'slow' })
    const runs = await celery.drain()
    expect(runs.map(({ args, task }) => [task, ...args])).toEqual([
      ['order', 'Ada'],
      ['order', 'Bob'],
      ['mail', 'Ada'],
      ['mail', 'Bob'],
    ])
    await celery.expectQueuesEmpty()
    expect(await celery.drain()).toEqual([])
  })

  test('leaves other queues alone when asked to', async () => {
    await using celery = createTestApp()
    const add = celery.app.task('add', (x: number, y: number) => x + y)
    await add.applyAsync([1, 1], { queue: 'a' })
    await add.applyAsync([2, 2], { queue: 'b' })
    expect(await celery.drain({ queues: ['b'] })).toMatchObject([{ result: 4 }])
    await expect(celery.expectQueuesEmpty()).rejects.toThrow(
      'the queues are not empty:\n  "a": 1 ready, 0 for later, 0 held',
    )
  })

  test('tells of tasks that are unknown, too late, or failed', async () => {
    await using celery = createTestApp()
    const { app } = celery
    const fail = app.task('fail', () => {
      throw new RangeError('too far')
    })
    await app.sendTask('unknown', [1])
    await fail.applyAsync([], { expires: 10 })
    await celery.advance(11_000)
    await fail.delay()
    expect(await celery.drain()).toMatchObject([
      { state: 'FAILURE', task: 'unknown', error: expect.any(NotRegisteredError) },
      { state: 'REVOKED', task: 'fail', error: { message: 'expired' } },
      { state: 'FAILURE', task: 'fail', error: new RangeError('too far') },
    ])
  })

  test('ends where tasks send themselves for ever', async () => {
    await using celery = createTestApp()
    const again = celery.app.task('again', async (): Promise<void> => {
      await again.delay()
    })
    await again.delay()
    await expect(celery.drain({ maxRuns: 20 })).rejects.toThrow(
      'more than 20 tasks ran and the queues are not empty, the last one was again; does it send itself again?',
    )
  })
})

describe('time', () => {
  test('stands still until it is moved, and brings what is due on the way', async () => {
    await using celery = createTestApp()
    const add = celery.app.task('add', (x: number, y: number) => x + y)
    await using worker = await celery.startWorker()
    const hour = await add.applyAsync([1, 1], { countdown: 3_600 })
    const day = await add.applyAsync([2, 2], { eta: new Date(celery.clock.now() + 86_400_000) })
    await celery.advance(3_599_999)
    await worker.idle()
    expect(celery.runs).toEqual([])
    await celery.advance(1)
    expect(await hour.get({ timeout: 10 })).toBe(2)
    await celery.advance(86_400_000 - 3_600_000)
    expect(await day.get({ timeout: 10 })).toBe(4)
  })

  test('takes no task from the worker that runs it', async () => {
    await using celery = createTestApp({ settings: { taskAcksLate: true } })
    const gate = deferred()
    const running = deferred()
    const slow = celery.app.task('slow', () => {
      running.resolve()
      return gate.promise
    })
    await using worker = await celery.startWorker({ concurrency: 2 })
    await slow.delay()
    await running.promise
    await celery.advance(86_400_000)
    expect(await celery.queue()).toMatchObject({ held: 1, ready: 0 })
    gate.resolve()
    await worker.idle()
    expect(celery.runs).toHaveLength(1)
  })

  test('drain with delayed runs retries at their time, without a wait', async () => {
    await using celery = createTestApp()
    const started = celery.clock.now()
    const times: number[] = []
    const fetch = celery.app.task(
      'fetch',
      (context) => {
        times.push((celery.clock.now() - started) / 1_000)
        if (context.request.retries < 3) throw context.retry({ countdown: 60 })
        return 'done'
      },
      { bind: true },
    )
    const result = await fetch.delay()
    expect((await celery.drain()).map(({ state }) => state)).toEqual(['RETRY'])
    expect(await celery.queue()).toMatchObject({ delayed: 1, ready: 0 })
    const runs = await celery.drain({ delayed: true })
    expect(runs.map(({ state }) => state)).toEqual(['RETRY', 'RETRY', 'SUCCESS'])
    expect(times).toEqual([0, 60, 120, 180])
    expect(await result.get({ timeout: 10 })).toBe('done')
  })

  test('brings limits of tasks in the process', async () => {
    await using celery = createTestApp()
    const waiting = deferred()
    const wait = celery.app.task(
      'wait',
      ({ signal }) => {
        waiting.resolve()
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
      { bind: true, softTimeLimit: 30 },
    )
    await using worker = await celery.startWorker()
    await wait.delay()
    await waiting.promise
    await celery.advance(30_000)
    await worker.idle()
    expect(celery.runs).toMatchObject([{ state: 'FAILURE', error: { name: 'SoftTimeLimitExceeded' } }])
  })

  test('forgets results when they expire', async () => {
    await using celery = createTestApp({ settings: { resultExpires: 3_600 } })
    const result = await celery.app.task('one', () => 1).delay()
    await celery.drain()
    const state = (): Promise<string> => celery.app.asyncResult(result.id).state()
    expect(await state()).toBe('SUCCESS')
    await celery.advance(3_600_001)
    expect(await state()).toBe('PENDING')
  })

  test('goes on by itself on a clock of yours, which then cannot be moved', async () => {
    await using celery = createTestApp({ clock: systemClock })
    const add = celery.app.task('add', (x: number, y: number) => x + y)
    await using _worker = await celery.startWorker()
    expect(await (await add.applyAsync([2, 3], { countdown: 0.01 })).get({ timeout: 10 })).toBe(5)
    await expect(celery.advance(1)).rejects.toMatchObject({ code: 'ERR_CELERY_CLOCK_NOT_MOVABLE' })
  })
})
