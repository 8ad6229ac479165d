import { deepStrictEqual } from 'node:assert'
import { type Celery, Ignore, Reject, type Retry, SoftTimeLimitExceededError } from '@celery/app'
import { deferred, ManualClock } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { createTestApp } from '../src/index.ts'

class Busy extends Error {
  override readonly name = 'Busy'
}

function fetcher(app: Celery, answers: (string | Error)[]) {
  const show = app.task('show', (text: string) => text.toUpperCase())
  const fetch = app.task(
    'fetch',
    async (context, url: string) => {
      await context.updateState('PROGRESS', { url })
      const answer = answers.shift() ?? new Error('no answer')
      if (answer instanceof Busy) throw context.retry({ countdown: 60 * 2 ** context.request.retries, exc: answer })
      if (answer instanceof Error) throw answer
      await show.delay(answer)
      return answer.length
    },
    { bind: true, params: ['url'], maxRetries: 2 },
  )
  return { fetch, show }
}

describe('run', () => {
  test('TEST-001 runs one task as a worker would, without a queue', async () => {
    await using celery = createTestApp()
    const { fetch, show } = fetcher(celery.app, ['text'])
    const run = await celery.run(fetch, ['http://a'], { taskId: 'one' })
    expect(run).toEqual({
      state: 'SUCCESS',
      result: 4,
      task: 'fetch',
      id: 'one',
      args: ['http://a'],
      kwargs: {},
      retries: 0,
    })
    celery.expectNotSent(fetch)
    celery.expectSent(show, { args: ['text'], parentId: 'one', rootId: 'one' })
    expect(await celery.app.asyncResult('one').get({ timeout: 10 })).toBe(4)
  })

  test('TEST-002 tells that a task asked to be retried, when and why', async () => {
    await using celery = createTestApp()
    const { fetch } = fetcher(celery.app, [new Busy('later'), new Busy('later'), new Busy('later')])
    const first = await celery.run(fetch, ['http://a'], { taskId: 'one' })
    expect(first.state).toBe('RETRY')
    expect((first as { error: Retry }).error.exc).toBeInstanceOf(Busy)
    celery.expectSent(fetch, { id: 'one', retries: 1, countdown: 60 })
    await celery.run(fetch, ['http://a'], { retries: 1 })
    celery.expectSent(fetch, { retries: 2, countdown: 120 })
    const last = await celery.run(fetch, ['http://a'], { retries: 2 })
    expect(last).toMatchObject({ state: 'FAILURE', error: new Busy('later'), retries: 2 })
  })

  test('gives a Date as whoever asks for the result gets it', async () => {
    await using celery = createTestApp()
    const when = celery.app.task('when', (at: Date) => ({ at }))
    const run = await celery.run(when, [new Date(0)], { taskId: 'one' })
    const stored = await celery.app.asyncResult('one').get({ timeout: 10 })
    for (const value of [(run as { result: unknown }).result, stored]) deepStrictEqual(value, { at: new Date(0) })
  })

  test('CANV-061 stores what the steps after it come to, too', async () => {
    await using celery = createTestApp()
    const fails = celery.app.task('fails', (): never => {
      throw new RangeError('no')
    })
    const next = celery.app.task('next', (x: unknown) => x)
    const result = await fails.s().pipe(next.s()).delay()
    await celery.drain()
    expect([await result.state(), await result.ready()]).toEqual(['FAILURE', true])
  })

  test('gives the error itself', async () => {
    await using celery = createTestApp()
    const error = new TypeError('wrong')
    const { fetch } = fetcher(celery.app, [error])
    const run = await celery.run(fetch, ['http://a'])
    expect(run.state === 'FAILURE' && run.error).toBe(error)
  })

  test('dates results by the clock of the test', async () => {
    const clock = new ManualClock(Date.UTC(2030, 0, 2, 3, 4, 5, 678))
    await using celery = createTestApp({ clock })
    const task = celery.app.task('dated', () => 1)
    const { id } = await celery.run(task, [])
    expect((await celery.app.asyncResult(id).meta()).dateDone).toEqual(new Date(clock.now()))
  })

  test('TASK-097 a rejected message leaves a failure unless it goes back', async () => {
    await using celery = createTestApp()
    const { app } = celery
    const refuse = app.task('refuse', (requeue: boolean) => Promise.reject(new Reject('no', { requeue })))
    const states = []
    for (const requeue of [true, false]) {
      const { id } = await celery.run(refuse, [requeue])
      states.push(await app.asyncResult(id).state())
    }
    expect(states).toEqual(['PENDING', 'FAILURE'])
  })

  test('tells of Ignore and Reject', async () => {
    await using celery = createTestApp()
    const { app } = celery
    const ignored = app.task('ignored', () => {
      throw new Ignore()
    })
    const rejected = app.task('rejected', () => {
      throw new Reject('not for me')
    })
    expect(await celery.run(ignored, [])).toMatchObject({ state: 'IGNORED' })
    expect(await celery.run(rejected, [])).toMatchObject({ state: 'REJECTED', error: { message: 'not for me' } })
  })

  test('sends what follows: links, errbacks, the next step of a chain', async () => {
    await using celery = createTestApp()
    const { app } = celery
    const { fetch, show } = fetcher(app, ['text', new Error('broken')])
    await celery.run(fetch, ['http://a'], { link: show.si('linked'), linkError: show.si('failed') })
    celery.expectSent(show, { args: ['linked'] })
    celery.expectNotSent(show, { args: ['failed'] })
    await celery.run(fetch, ['http://b'], { link: show.si('linked 2'), linkError: show.si('failed') })
    celery.expectSent(show, { args: ['failed'] })
    celery.expectNotSent(show, { args: ['linked 2'] })
  })

  test('takes keyword arguments, and what the message and the worker say', async () => {
    await using celery = createTestApp()
    const seen = celery.app.task(
      'seen',
      ({ request }, x: number, y?: number) => [x, y, request.redeliveries, request.hostname, request.queue],
      { bind: true, params: ['x', 'y?'] },
    )
    const run = await celery.run(seen, [1], { kwargs: { y: 2 }, redeliveries: 3, hostname: 'w@h', queue: 'slow' })
    expect(run).toMatchObject({ state: 'SUCCESS', result: [1, 2, 3, 'w@h', 'slow'], kwargs: { y: 2 } })
  })

  test('gives the signal that the task sees at its soft limit', async () => {
    await using celery = createTestApp()
    const { promise: started, resolve } = deferred()
    const wait = celery.app.task(
      'wait',
      ({ signal }) => {
        resolve()
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
      { bind: true },
    )
    const limit = new AbortController()
    const running = celery.run(wait, [], { softLimit: limit.signal })
    await started
    const error = new SoftTimeLimitExceededError(1)
    limit.abort(error)
    expect(await running).toMatchObject({ state: 'FAILURE', error })
  })

  test('refuses a task that its app does not send', async () => {
    await using celery = createTestApp()
    await using other = createTestApp()
    const foreign = other.app.task('foreign', () => 1)
    await expect(celery.run(foreign, [])).rejects.toThrow('foreign was not sent when it was called')
  })
})
