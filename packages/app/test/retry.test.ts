import {
  decodeExceptionForm,
  decodeResultRecord,
  decodeTaskBody,
  decodeTaskHeaders,
  parseIsoTime,
} from '@celery/protocol'
import { stringifyJson } from '@celery/serialization'
import type { Publication } from '@celery/transport'
import { describe, expect, test } from 'vitest'
import { Ignore, MaxRetriesExceededError, Reject, Retry, type RetryOptions, type TaskOptions } from '../src/index.ts'
import type { TraceInput, TraceOutcome } from '../src/internal.ts'
import { goldenFollowUp, goldenRecords } from './golden.ts'
import { testApp } from './test-app.ts'

function recordOf({ write }: TraceOutcome) {
  if (write === undefined) throw new Error('nothing is to be stored')
  return decodeResultRecord(write.record)
}

function sent({ publish }: TraceOutcome): Publication {
  const message = publish?.at(-1)
  if (message === undefined) throw new Error('nothing is to be sent')
  return message
}

function headersOf(outcome: TraceOutcome) {
  return decodeTaskHeaders(sent(outcome).message.headers)
}

function secondsUntilNextRun(outcome: TraceOutcome): number {
  const { eta } = headersOf(outcome)
  return eta === null ? 0 : ((parseIsoTime(eta) ?? Number.NaN) - Date.now()) / 1_000
}

/** An app with a task that retries itself as it is told, and how to run it once. */
async function setUp(given: RetryOptions = {}, options: TaskOptions = {}) {
  const made = await testApp()
  const { app } = made
  const again = app.task(
    'again',
    (context, ..._args: unknown[]): unknown => {
      throw context.retry(given as RetryOptions & { readonly throw?: true })
    },
    { ...options, bind: true as const },
  )
  const run = async (
    send: () => Promise<unknown> = () => again.delay(1),
    change: (input: TraceInput) => TraceInput = (input) => input,
  ): Promise<TraceOutcome> => {
    await send()
    const { input } = await made.take()
    return app.tracer.run(change(input), undefined)
  }
  return { ...made, again, run }
}

const retried = (retries: number) => (input: TraceInput) => ({ ...input, headers: { ...input.headers, retries } })

describe('a retry', () => {
  test('sends the message that Celery sends', async () => {
    const golden = goldenFollowUp('retry_retry_me__from_retry_me')
    const { again, run } = await setUp({ countdown: 1, exc: new TypeError('again 1') })
    const id = String(golden.headers['id'])
    const replyTo = String(golden.properties['reply_to'])
    const outcome = await run(() => again.applyAsync([1], { taskId: id, replyTo }))
    const { message } = sent(outcome)
    const headers = decodeTaskHeaders(message.headers)
    expect(headers).toEqual({
      ...golden.headers,
      task: 'again',
      lang: 'js',
      eta: headers.eta,
      origin: headers.origin,
    })
    expect(secondsUntilNextRun(outcome)).toBeGreaterThan(0)
    expect(secondsUntilNextRun(outcome)).toBeLessThanOrEqual(1)
    expect(JSON.parse(String(message.body))).toEqual(golden.body)
    const { correlation_id, delivery_mode, priority, reply_to } = golden.properties
    expect(message.properties).toEqual({ correlation_id, delivery_mode, priority, reply_to })
  })

  test('leaves the record that Celery leaves', async () => {
    const [golden] = goldenRecords('retry')
    const { again, run } = await setUp({ countdown: 1, exc: new TypeError('again 1') })
    const id = String(golden?.['task_id'])
    const outcome = await run(() => again.applyAsync([1], { taskId: id }))
    expect(outcome).toMatchObject({ state: 'RETRY', text: "Retry in 1s: TypeError('again 1')" })
    expect(JSON.parse(String(outcome.write?.record))).toEqual({
      ...golden,
      result: { exc_type: 'TypeError', exc_message: ['again 1'], exc_module: 'builtins' },
      traceback: expect.stringContaining('retry.test.ts'),
    })
  })

  test('without an error leaves none', async () => {
    const [golden] = goldenRecords('retry_noexc')
    const { run } = await setUp({ countdown: 1 })
    const outcome = await run()
    expect(outcome.text).toBe('Retry in 1s')
    expect(recordOf(outcome)).toMatchObject({ status: 'RETRY', result: golden?.['result'] ?? null, date_done: null })
  })

  test('runs again under its id until it succeeds, and the caller gets the result', async () => {
    const { app, advance, runNext, waiting } = await testApp()
    const seen: unknown[] = []
    const flaky = app.task(
      'flaky',
      (context, x: number) => {
        const { id, parentId, retries, rootId } = context.request
        seen.push([retries, parentId === id, rootId === id])
        if (retries < 2) throw context.retry({ countdown: 60, exc: new Error('not yet') })
        return x * 2
      },
      { bind: true },
    )
    const result = await flaky.delay(21)
    expect((await runNext()).state).toBe('RETRY')
    expect(await result.state()).toBe('RETRY')
    for (const state of ['RETRY', 'SUCCESS']) {
      advance(61_000)
      expect((await runNext()).state).toBe(state)
    }
    expect(await result.get({ timeout: 5 })).toBe(42)
    expect(seen).toEqual([
      [0, false, true],
      [1, true, true],
      [2, true, true],
    ])
    expect(await waiting()).toBe(0)
  })

  test('keeps what it does not know: the bytes of the body, foreign headers, group, chain and links', async () => {
    const { again, app, run } = await setUp({ countdown: 5 })
    const other = app.task('other', (x: unknown) => x)
    const line = again.s(1).pipe(other.s()).link(other.s()).linkError(other.si('failed'))
    let before: TraceInput | undefined
    const outcome = await run(
      () => line.applyAsync([], { headers: { trace: 'abc', big: 2n ** 64n }, priority: 7 }),
      (input) => {
        before = { ...input, headers: { ...input.headers, group: 'g', group_index: 3, stamps: { a: 1 } } }
        return before
      },
    )
    const { message } = sent(outcome)
    const headers = decodeTaskHeaders(message.headers)
    expect(message.body).toBe(before?.body)
    expect(headers).toMatchObject({ trace: 'abc', big: 2n ** 64n, group: 'g', group_index: 3, stamps: { a: 1 } })
    expect(decodeTaskBody(JSON.parse(String(message.body))).embed.chain).toHaveLength(1)
    // The steps that follow belong to the run that ends.
    expect(outcome.publish).toHaveLength(1)
  })

  test('goes back to the queue it came from, with its priority and limits', async () => {
    const { again, app, take } = await setUp({ countdown: 5 })
    await again.applyAsync([1], { queue: 'slow', priority: 4, timeLimit: 9, softTimeLimit: 8, expires: 600 })
    const { input } = await take('slow')
    const outcome = await app.tracer.run({ ...input, priority: 4 }, undefined)
    const { message, routingKey } = sent(outcome)
    expect(routingKey).toBe('slow')
    expect(message.properties).toMatchObject({ priority: 4, expiration: expect.stringMatching(/^\d+$/) })
    expect(headersOf(outcome)).toMatchObject({ timelimit: [9, 8], expires: input.headers.expires })
  })

  test('takes another queue, priority, limits, expiry, name and arguments', async () => {
    const { run } = await setUp({
      countdown: 5,
      args: [2, 3],
      queue: 'other',
      priority: 9,
      timeLimit: 20,
      expires: 100,
      ignoreResult: true,
      shadow: 'again, slower',
    })
    const outcome = await run()
    const { message, routingKey } = sent(outcome)
    expect([routingKey, message.properties.priority]).toEqual(['other', 9])
    expect(headersOf(outcome)).toMatchObject({
      argsrepr: '(2, 3)',
      timelimit: [20, null],
      ignore_result: true,
      shadow: 'again, slower',
    })
    expect(decodeTaskBody(JSON.parse(String(message.body)))).toMatchObject({ args: [2, 3], kwargs: {} })
  })

  test('CONF-121 to a queue that is not there is refused, where none are made', async () => {
    const { app, runNext } = await testApp({ settings: { taskCreateMissingQueues: false } })
    const again = app.task('again', (context): never => context.retry({ queue: 'no-such' }), { bind: true })
    await again.delay()
    expect(await runNext()).toMatchObject({ state: 'FAILURE', text: expect.stringContaining('QueueNotFoundError') })
  })

  test('of a compressed message is compressed, with other arguments too', async () => {
    const { again, app, run } = await setUp({ countdown: 0, args: [7] })
    const outcome = await run(() => again.applyAsync([1], { compression: 'gzip' }))
    const { message } = sent(outcome)
    expect(message.headers['compression']).toBe('application/x-gzip')
    const plain = app.compressions.decompress(message.body, 'application/x-gzip')
    expect(decodeTaskBody(JSON.parse(new TextDecoder().decode(plain))).args).toEqual([7])
  })

  test('of a message of protocol 1 is one of protocol 2', async () => {
    const { run } = await setUp({ countdown: 1 })
    const outcome = await run(undefined, (input) => ({
      ...input,
      body: stringifyJson({ task: 'again', id: input.headers.id, args: [1], kwargs: {}, retries: 0 }),
    }))
    expect(JSON.parse(String(sent(outcome).message.body))).toEqual([
      [1],
      {},
      { callbacks: null, errbacks: null, chain: null, chord: null },
    ])
  })

  test.each<[string, RetryOptions, TaskOptions, number, string]>([
    ['after three minutes by default', {}, {}, 180, 'Retry in 180s'],
    ['after what the task says', {}, { defaultRetryDelay: 7 }, 7, 'Retry in 7s'],
    ['after a countdown', { countdown: 3.5 }, { defaultRetryDelay: 7 }, 3.5, 'Retry in 3.5s'],
    ['at once', { countdown: 0 }, {}, 0, 'Retry in 0s'],
    ['at a moment', { eta: '2999-01-01T00:00:00Z', countdown: 1 }, {}, 30e9, 'Retry at 2999-01-01T00:00:00+00:00'],
  ])('%s', async (_when, given, options, seconds, text) => {
    const { run } = await setUp(given, options)
    const outcome = await run()
    expect(outcome.text).toBe(text)
    expect(secondsUntilNextRun(outcome)).toBeGreaterThanOrEqual(seconds === 0 ? 0 : Math.min(seconds, 30e9) - 2)
    if (seconds < 30e9) expect(secondsUntilNextRun(outcome)).toBeLessThanOrEqual(seconds)
    expect(sent(outcome).notBeforeMs === undefined).toBe(seconds === 0)
  })

  test.each<[string, RetryOptions]>([
    ['countdown', { countdown: Number.NaN }],
    ['countdown', { countdown: 1e15 }],
    ['eta', { eta: 'soon' }],
    ['expires', { expires: 'soon' }],
    ['priority', { priority: 0.5 }],
    ['priority', { priority: 256 }],
    ['queue', { queue: '' }],
    ['timeLimit', { timeLimit: -1 }],
  ])('with a %s that is none fails, by name', async (option, given) => {
    const { run } = await setUp(given)
    const outcome = await run()
    expect(outcome.state).toBe('FAILURE')
    expect(outcome.text).toMatch(new RegExp(`^TaskOptionError\\('${option} of a call of again must be`))
    expect(outcome).not.toHaveProperty('publish')
  })

  test('with arguments that the task does not take fails', async () => {
    const { app, take } = await testApp()
    const strict = app.task(
      'strict',
      (context, _x: number): number => {
        throw context.retry({ args: [1, 2] })
      },
      { bind: true, params: ['x'] },
    )
    await strict.delay(1)
    const outcome = await app.tracer.run((await take()).input, undefined)
    expect(outcome).toMatchObject({ state: 'FAILURE', text: expect.stringContaining('takes 1 positional argument') })
  })
})

describe('when there are no retries left', () => {
  const cases: readonly [string, RetryOptions, TaskOptions, number, boolean][] = [
    ['three are allowed', {}, {}, 2, true],
    ['a fourth is not', {}, {}, 3, false],
    ['the task allows more', {}, { maxRetries: 4 }, 3, true],
    ['the task allows none', {}, { maxRetries: 0 }, 0, false],
    ['the task allows any number', {}, { maxRetries: null }, 1_000_000, true],
    ['the retry allows more than the task', { maxRetries: 4 }, { maxRetries: 1 }, 3, true],
    ['the retry allows less than the task', { maxRetries: 1 }, { maxRetries: 4 }, 1, false],
    ['the retry allows any number', { maxRetries: null }, { maxRetries: 1 }, 1_000_000, true],
  ]
  test.each(cases)('%s', async (_name, given, options, retries, again) => {
    const { run } = await setUp(given, options)
    expect((await run(undefined, retried(retries))).state).toBe(again ? 'RETRY' : 'FAILURE')
  })

  test('its error is thrown', async () => {
    const { run } = await setUp({ exc: new RangeError('still broken') })
    const outcome = await run(undefined, retried(3))
    expect(recordOf(outcome)).toMatchObject({ status: 'FAILURE', result: { exc_type: 'RangeError' } })
    expect(outcome).not.toHaveProperty('publish')
  })

  test('without one it says so, with the arguments as the sender shows them', async () => {
    const { again, app, run } = await setUp()
    const outcome = await run(() => again.applyAsync(['secret'], { taskId: 'x', argsrepr: '(***)' }), retried(3))
    expect(recordOf(outcome).result).toEqual({
      exc_type: 'MaxRetriesExceededError',
      exc_module: 'celery.exceptions',
      exc_message: ["Can't retry again[x] args:(***) kwargs:{}"],
    })
    const error = app.errors.decode(decodeExceptionForm(recordOf(outcome).result))
    expect(error).toBeInstanceOf(MaxRetriesExceededError)
  })
})

describe('a retry that does not end the run', () => {
  test('is sent beside whatever comes of it', async () => {
    const { app, take } = await testApp()
    const ends = {
      returns: () => 'fine',
      fails: () => Promise.reject(new Error('no')),
      ignores: () => Promise.reject(new Ignore()),
      rejects: () => Promise.reject(new Reject()),
    }
    const states: string[] = []
    for (const [name, end] of Object.entries(ends)) {
      const task = app.task(
        name,
        (context): unknown => {
          expect(context.retry({ countdown: 9, throw: false })).toBeInstanceOf(Retry)
          return end()
        },
        { bind: true },
      )
      await task.delay()
      const outcome = await app.tracer.run((await take()).input, undefined)
      states.push(outcome.state)
      expect(outcome.publish?.map(({ message }) => message.headers['retries'])).toEqual([1])
    }
    expect(states).toEqual(['SUCCESS', 'FAILURE', 'IGNORED', 'REJECTED'])
  })

  test('may be thrown later, and the last of several counts', async () => {
    const { app, take } = await testApp()
    const task = app.task(
      'twice',
      async (context): Promise<number> => {
        context.retry({ countdown: 9, throw: false })
        throw context.retry({ countdown: 99, throw: false })
      },
      { bind: true },
    )
    await task.delay()
    const outcome = await app.tracer.run((await take()).input, undefined)
    expect(outcome).toMatchObject({ state: 'RETRY', text: 'Retry in 99s' })
    expect(outcome.publish).toHaveLength(1)
    expect(secondsUntilNextRun(outcome)).toBeGreaterThan(90)
  })

  test('one made by hand brings no run and is a failure: nobody would ever run it', async () => {
    const { app, take } = await testApp()
    await app.task('by-hand', () => Promise.reject(new Retry({ when: 3 }))).delay()
    const outcome = await app.tracer.run((await take()).input, undefined)
    expect(outcome).toMatchObject({ state: 'FAILURE' })
    expect(recordOf(outcome).result).toMatchObject({ exc_type: 'Retry', exc_module: 'celery.exceptions' })
  })
})

describe('called as a function', () => {
  test('a retry throws its error, or says that it could be retried', async () => {
    const { app } = await testApp()
    const error = new Error('x')
    const task = app.task('t', (context, exc?: Error) => context.retry({ exc, throw: false }), { bind: true })
    expect(() => task(error)).toThrow(error)
    expect(() => task()).toThrow(Retry)
  })
})

describe('automatic retries', () => {
  class Transient extends Error {}
  class Odd extends Transient {}

  async function failing(options: TaskOptions, error: unknown, retries = 0): Promise<TraceOutcome> {
    const { app, take } = await testApp()
    await app.task('failing', () => Promise.reject(error), options).delay()
    return app.tracer.run(retried(retries)((await take()).input), undefined)
  }

  test.each<[string, TaskOptions, unknown, string]>([
    ['not without autoretryFor', {}, new Transient(), 'FAILURE'],
    ['for its errors', { autoretryFor: [Transient] }, new Transient(), 'RETRY'],
    ['for those that inherit from them', { autoretryFor: [Error] }, new Odd(), 'RETRY'],
    ['not for others', { autoretryFor: [Transient] }, new Error('x'), 'FAILURE'],
    ['not for those exempted', { autoretryFor: [Transient], dontAutoretryFor: [Odd] }, new Odd(), 'FAILURE'],
    ['as a function says', { autoretryFor: [(error) => String(error).includes('ECONN')] }, 'ECONNRESET', 'RETRY'],
    [
      'not where the function throws',
      {
        autoretryFor: [
          () => {
            throw new Error('broken predicate')
          },
        ],
      },
      new Error('x'),
      'FAILURE',
    ],
    ['not for Ignore', { autoretryFor: [Error] }, new Ignore(), 'IGNORED'],
    ['not for Reject', { autoretryFor: [Error] }, new Reject(), 'REJECTED'],
    ['not for a Retry made by hand', { autoretryFor: [Error] }, new Retry(), 'FAILURE'],
  ])('%s', async (_name, options, error, state) => {
    expect((await failing(options, error)).state).toBe(state)
  })

  test('tell the error, and give it up in the end', async () => {
    const options = { autoretryFor: [Transient], retryKwargs: { countdown: 5, maxRetries: 2 } }
    const outcome = await failing(options, new Transient('busy'))
    expect(outcome).toMatchObject({ state: 'RETRY', text: "Retry in 5s: Transient('busy')" })
    expect(recordOf(outcome).result).toMatchObject({ exc_type: 'Transient', exc_message: ['busy'] })
    const last = await failing(options, new Transient('busy'), 2)
    expect(recordOf(last)).toMatchObject({ status: 'FAILURE', result: { exc_type: 'Transient' } })
    expect(last).not.toHaveProperty('publish')
  })

  test('a retry of the task itself is not retried once more', async () => {
    const { app, take } = await testApp()
    const task = app.task(
      'own',
      (context): number => {
        throw context.retry({ countdown: 33 })
      },
      { bind: true, autoretryFor: [Error], retryBackoff: true },
    )
    await task.delay()
    expect((await app.tracer.run((await take()).input, undefined)).text).toBe('Retry in 33s')
  })

  test.each<[TaskOptions, number, number]>([
    [{ retryBackoff: true }, 0, 1],
    [{ retryBackoff: true }, 2, 4],
    [{ retryBackoff: 3 }, 2, 12],
    [{ retryBackoff: 2.9 }, 1, 4],
    [{ retryBackoff: 0.5 }, 1, 2],
    [{ retryBackoff: true }, 12, 600],
    [{ retryBackoff: true, retryBackoffMax: 50 }, 12, 50],
    [{ retryBackoff: true, retryKwargs: { countdown: 7 } }, 3, 8],
    [{ retryBackoff: false, retryKwargs: { countdown: 7 } }, 3, 7],
    [{ retryBackoff: false, defaultRetryDelay: 11 }, 3, 11],
  ])('with %o wait after %i retries %i seconds', async (options, retries, seconds) => {
    const all = { autoretryFor: [Transient], maxRetries: null, retryJitter: false, ...options }
    expect((await failing(all, new Transient('x'), retries)).text).toMatch(`Retry in ${seconds}s`)
  })

  test('with jitter they wait anything up to that', async () => {
    const options = { autoretryFor: [Transient], maxRetries: null, retryBackoff: true }
    for (let n = 0; n < 20; n++) {
      const outcome = await failing(options, new Transient('x'), 6)
      const [, seconds] = /^Retry in (\d+)s/.exec(outcome.text) ?? []
      expect(Number(seconds)).toBeLessThanOrEqual(64)
    }
  })
})
