import { type CeleryError, deferred, ManualClock } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { Blueprint } from './blueprint.ts'
import { BlueprintStopError, BlueprintStoppedError, StepFailedError, StepStopTimeoutError } from './lifecycle-errors.ts'
import type { Step } from './step.ts'

const never = (): Promise<never> => new Promise<never>(() => {})

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

/** Steps that write down what is done to them. */
function recorder(): { log: string[]; step: (name: string, more?: Partial<Step>) => Step } {
  const log: string[] = []
  const step = (name: string, more: Partial<Step> = {}): Step => ({
    name,
    start: () => void log.push(`start ${name}`),
    stop: () => void log.push(`stop ${name}`),
    ...more,
  })
  return { log, step }
}

describe('starting and stopping', () => {
  test('starts in order of requirements and stops in reverse, each awaited', async () => {
    const { log, step } = recorder()
    const slowly = async (what: string): Promise<void> => {
      log.push(`${what} …`)
      await turn()
      log.push(what)
    }
    const slow = step('timer', { start: () => slowly('start timer'), stop: () => slowly('stop timer') })
    const steps = [step('consumer', { requires: ['timer'] }), slow]
    const blueprint = new Blueprint({ name: 'worker', steps })
    await blueprint.start()
    expect(blueprint.state).toBe('running')
    await blueprint.stop()
    expect(blueprint.state).toBe('stopped')
    await blueprint.closed
    expect(log).toEqual([
      'start timer …',
      'start timer',
      'start consumer',
      'stop consumer',
      'stop timer …',
      'stop timer',
    ])
  })

  test('creates every step before it starts the first', async () => {
    const { log, step } = recorder()
    const steps = ['a', 'b'].map((name) =>
      step(name, {
        async create() {
          await turn()
          log.push(`create ${name}`)
        },
      }),
    )
    await using blueprint = new Blueprint({ name: 'worker', steps })
    await blueprint.start()
    expect(log).toEqual(['create a', 'create b', 'start a', 'start b'])
  })

  test('hands the parent to every method', async () => {
    const parent = { seen: [] as string[] }
    const step: Step<typeof parent> = {
      name: 'a',
      enabled: ({ seen }) => seen.push('enabled') > 0,
      create: ({ seen }) => void seen.push('create'),
      start: ({ seen }) => void seen.push('start'),
      stop: ({ seen }) => void seen.push('stop'),
    }
    const blueprint = new Blueprint({ name: 'worker', steps: [step], parent })
    await blueprint.start()
    await blueprint.stop()
    expect(parent.seen).toEqual(['enabled', 'create', 'start', 'stop'])
  })

  test('leaves disabled steps out, and takes what they are required for as met', async () => {
    const { log, step } = recorder()
    const steps = [
      step('c', { requires: ['b'] }),
      step('b', { requires: ['a'], enabled: () => false, create: () => expect.unreachable('is disabled') }),
      step('a'),
      step('d', { enabled: false }),
    ]
    const blueprint = new Blueprint({ name: 'worker', steps })
    await blueprint.start()
    await blueprint.stop()
    expect(log).toEqual(['start a', 'start c', 'stop c', 'stop a'])
  })

  test('stops once and starts once however often it is asked', async () => {
    const { log, step } = recorder()
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a')] })
    await Promise.all([blueprint.start(), blueprint.start()])
    await Promise.all([blueprint.stop(), blueprint.stop(), blueprint.terminate(), blueprint[Symbol.asyncDispose]()])
    await blueprint.stop()
    expect(log).toEqual(['start a', 'stop a'])
  })

  test('can be stopped before it was started, and then does not start', async () => {
    const { log, step } = recorder()
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a')] })
    await blueprint.stop()
    await blueprint.closed
    await expect(blueprint.start()).rejects.toBeInstanceOf(BlueprintStoppedError)
    expect([blueprint.state, log]).toEqual(['stopped', []])
  })

  test('stops at the end of its scope', async () => {
    const { log, step } = recorder()
    {
      await using blueprint = new Blueprint({ name: 'worker', steps: [step('a')] })
      await blueprint.start()
    }
    expect(log).toEqual(['start a', 'stop a'])
  })
})

describe('stopping while starting', () => {
  test('waits for the step that is starting, stops it too, and starts no other', async () => {
    const { log, step } = recorder()
    const gate = deferred()
    const opening = step('b', {
      async start() {
        await gate.promise
        log.push('start b')
      },
    })
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a'), opening, step('c')] })
    const starting = blueprint.start()
    const refused = expect(starting).rejects.toBeInstanceOf(BlueprintStoppedError)
    await turn()
    const stopping = blueprint.stop()
    await turn()
    expect(log).toEqual(['start a'])
    gate.resolve()
    await Promise.all([stopping, refused, blueprint.closed])
    expect(log).toEqual(['start a', 'start b', 'stop b', 'stop a'])
  })

  test('does not report success when only the last step was still starting', async () => {
    const { log, step } = recorder()
    const gate = deferred()
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a', { start: () => gate.promise })] })
    const refused = expect(blueprint.start()).rejects.toBeInstanceOf(BlueprintStoppedError)
    await turn()
    const stopping = blueprint.stop()
    gate.resolve()
    await Promise.all([stopping, refused])
    expect([blueprint.state, log]).toEqual(['stopped', ['stop a']])
  })

  test('tells a step that waits for something, and does not stop what never started', async () => {
    const { log, step } = recorder()
    const connect = step('connect', {
      start: (_parent, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    })
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a'), connect] })
    const refused = blueprint.start().catch((error: unknown) => error)
    await turn()
    await blueprint.stop()
    await blueprint.closed
    expect(await refused).toBeInstanceOf(BlueprintStoppedError)
    expect(await refused).not.toHaveProperty('cause')
    expect([blueprint.state, log]).toEqual(['stopped', ['start a', 'stop a']])
  })

  test('keeps what the interrupted step rejected with as the cause', async () => {
    const gate = deferred()
    const { step } = recorder()
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a', { start: () => gate.promise })] })
    const refused = expect(blueprint.start()).rejects.toMatchObject({
      code: 'ERR_CELERY_BLUEPRINT_STOPPED',
      cause: { message: 'connection refused' },
    })
    const stopping = blueprint.stop()
    gate.reject(new Error('connection refused'))
    await Promise.all([stopping, refused])
  })

  test('waits for a step that is being created, and starts none', async () => {
    const { log, step } = recorder()
    const gate = deferred()
    const steps = [step('a', { create: () => gate.promise }), step('b', { create: () => void log.push('create b') })]
    const blueprint = new Blueprint({ name: 'worker', steps })
    const refused = expect(blueprint.start()).rejects.toBeInstanceOf(BlueprintStoppedError)
    let down = false
    const stopping = blueprint.stop().then(() => {
      down = true
    })
    await turn()
    expect(down).toBe(false)
    gate.resolve()
    await Promise.all([stopping, refused])
    expect(log).toEqual([])
  })

  test('may be asked by the step itself', async () => {
    const { log, step } = recorder()
    let stopping: Promise<void> | undefined
    const first = step('a', {
      start() {
        stopping = blueprint.stop()
      },
    })
    const blueprint: Blueprint = new Blueprint({ name: 'worker', steps: [first, step('b')] })
    await expect(blueprint.start()).rejects.toBeInstanceOf(BlueprintStoppedError)
    await stopping
    expect(log).toEqual(['stop a'])
  })
})

describe('a step that fails', () => {
  test('to start: stops what was started, in reverse, then rejects with its name and cause', async () => {
    const { log, step } = recorder()
    const cause = new Error('port taken')
    const broken = step('c', {
      start() {
        throw cause
      },
    })
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a'), step('b'), broken, step('d')] })
    const error = await blueprint.start().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(StepFailedError)
    expect(error).toMatchObject({
      step: 'c',
      phase: 'start',
      cause,
      stopErrors: [],
      message: "step 'c' of worker could not be started: port taken",
    })
    expect(log).toEqual(['start a', 'start b', 'stop b', 'stop a'])
    expect(blueprint.state).toBe('failed')
    await expect(blueprint.closed).rejects.toBe(error)
    await blueprint.stop()
  })

  test.each([
    ['be created', { create: () => Promise.reject(new Error('no')) }],
    [
      'say whether it is enabled',
      {
        enabled: () => {
          throw new Error('no')
        },
      },
    ],
  ] satisfies [string, Partial<Step>][])('to %s: starts nothing', async (_what, more) => {
    const { log, step } = recorder()
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a'), step('b', more)] })
    await expect(blueprint.start()).rejects.toMatchObject({ step: 'b', phase: 'create', cause: { message: 'no' } })
    expect(log).toEqual([])
  })

  test('to stop: stops the rest all the same, reports each, and rejects with all', async () => {
    const { log, step } = recorder()
    const bad = (name: string): Step => step(name, { stop: () => Promise.reject(new Error(`${name} stuck`)) })
    const reported: CeleryError[] = []
    const blueprint = new Blueprint({
      name: 'worker',
      steps: [step('a'), bad('b'), step('c'), bad('d')],
      onStopError: (error) => reported.push(error),
    })
    await blueprint.start()
    const error = await blueprint.stop().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(BlueprintStopError)
    expect(error).toMatchObject({
      errors: [
        { step: 'd', phase: 'stop', cause: { message: 'd stuck' } },
        { step: 'b', phase: 'stop' },
      ],
    })
    expect((error as BlueprintStopError).cause).toBeInstanceOf(AggregateError)
    expect(reported).toEqual((error as BlueprintStopError).errors)
    expect(log.slice(4)).toEqual(['stop c', 'stop a'])
    await expect(blueprint.closed).rejects.toBe(error)
    await expect(blueprint.stop()).rejects.toBe(error)
    expect(blueprint.state).toBe('stopped')
  })

  test('to start, with one that then fails to stop: the first is the error, the second is attached', async () => {
    const { step } = recorder()
    const steps = [
      step('a', { stop: () => Promise.reject(new Error('stuck')) }),
      step('b', { start: () => Promise.reject(new Error('refused')) }),
    ]
    const blueprint = new Blueprint({ name: 'worker', steps })
    await expect(blueprint.start()).rejects.toMatchObject({
      step: 'b',
      stopErrors: [{ step: 'a', phase: 'stop', cause: { message: 'stuck' } }],
    })
    // Nobody has asked for the stop yet: that is no unhandled rejection.
    await turn()
    await expect(blueprint.stop()).rejects.toBeInstanceOf(BlueprintStopError)
  })

  test('while running: stops everything, and closed rejects', async () => {
    const { log, step } = recorder()
    const failing = deferred<(error: unknown) => void>()
    const steps = [step('a'), step('pool', { start: (_parent, { fail }) => failing.resolve(fail) }), step('c')]
    const blueprint = new Blueprint({ name: 'worker', steps })
    await blueprint.start()
    const fail = await failing.promise
    fail(new Error('every child died'))
    await expect(blueprint.closed).rejects.toMatchObject({
      step: 'pool',
      phase: 'run',
      cause: { message: 'every child died' },
    })
    expect(log).toEqual(['start a', 'start c', 'stop c', 'stop pool', 'stop a'])
    expect(blueprint.state).toBe('failed')
    await blueprint.stop()
  })

  test('while it is stopping anyway: is reported and changes nothing else', async () => {
    const { step } = recorder()
    const reported: CeleryError[] = []
    let fail: (error: unknown) => void = () => {}
    const pool = step('pool', {
      start: (_parent, context) => {
        fail = context.fail
      },
      stop: () => fail(new Error('a child died')),
    })
    const blueprint = new Blueprint({ name: 'worker', steps: [pool], onStopError: (error) => reported.push(error) })
    await blueprint.start()
    await blueprint.stop()
    await blueprint.closed
    expect(reported).toMatchObject([{ step: 'pool', phase: 'run', cause: { message: 'a child died' } }])
    expect(blueprint.state).toBe('stopped')
  })
})

describe('limits', () => {
  test('a step that does not stop in its time is left behind, and the rest stops', async () => {
    const { log, step } = recorder()
    const clock = new ManualClock()
    const steps = [step('a'), step('b', { stop: never }), step('c', { stop: never, stopTimeoutMs: 10 })]
    const blueprint = new Blueprint({ name: 'worker', steps, stopTimeoutMs: 100, clock })
    await blueprint.start()
    const failed = expect(blueprint.stop()).rejects.toMatchObject({
      errors: [
        { code: 'ERR_CELERY_STEP_STOP_TIMEOUT', step: 'c', timeoutMs: 10 },
        { code: 'ERR_CELERY_STEP_STOP_TIMEOUT', step: 'b', timeoutMs: 100 },
      ],
    })
    await clock.advanceAsync(109)
    expect(log).not.toContain('stop a')
    await clock.advanceAsync(1)
    await failed
    expect(log).toContain('stop a')
  })

  test('a step that can be terminated is, after its time or after a stop that failed', async () => {
    const { log, step } = recorder()
    const clock = new ManualClock()
    const steps = [
      step('slow', { stop: never, terminate: () => void log.push('terminate slow') }),
      step('bad', { stop: () => Promise.reject(new Error('no')), terminate: () => void log.push('terminate bad') }),
    ]
    const blueprint = new Blueprint({ name: 'worker', steps, stopTimeoutMs: 100, clock })
    await blueprint.start()
    const failed = expect(blueprint.stop()).rejects.toMatchObject({ errors: [{ step: 'bad' }, { step: 'slow' }] })
    await clock.advanceAsync(100)
    await failed
    expect(log.slice(2)).toEqual(['terminate bad', 'terminate slow'])
  })

  test('a termination that fails or hangs is reported as well', async () => {
    const { step } = recorder()
    const clock = new ManualClock()
    const steps = [
      step('hangs', { stop: never, terminate: never }),
      step('fails', { stop: never, terminate: () => Promise.reject(new Error('no')) }),
    ]
    const blueprint = new Blueprint({ name: 'worker', steps, stopTimeoutMs: 100, clock })
    await blueprint.start()
    const error: unknown = await Promise.all([blueprint.stop(), clock.advanceAsync(1000)]).catch((error) => error)
    expect((error as BlueprintStopError).errors).toMatchObject([
      { step: 'fails', phase: 'stop' },
      { step: 'fails', phase: 'terminate', cause: { message: 'no' } },
      { step: 'hangs', phase: 'stop' },
      { step: 'hangs', phase: 'terminate', timeoutMs: 100 },
    ])
    expect((error as BlueprintStopError).errors[3]).toBeInstanceOf(StepStopTimeoutError)
  })

  test('a start that hangs does not hold the stop beyond the limit, and is undone if it comes after all', async () => {
    const { log, step } = recorder()
    const clock = new ManualClock()
    const gate = deferred()
    const steps = [step('a'), step('b', { start: () => gate.promise })]
    const blueprint = new Blueprint({ name: 'worker', steps, stopTimeoutMs: 100, clock })
    const refused = expect(blueprint.start()).rejects.toBeInstanceOf(BlueprintStoppedError)
    await turn()
    const failed = expect(blueprint.stop()).rejects.toMatchObject({ errors: [{ step: 'b', timeoutMs: 100 }] })
    await clock.advanceAsync(100)
    await Promise.all([failed, refused])
    expect(log).toEqual(['start a', 'stop a'])
    gate.resolve()
    await turn()
    expect(log).toEqual(['start a', 'stop a', 'stop b'])
  })
})

describe('terminating', () => {
  test('uses terminate where a step has it, and stop elsewhere', async () => {
    const { log, step } = recorder()
    const steps = [step('a'), step('pool', { terminate: () => void log.push('terminate pool') }), step('c')]
    const blueprint = new Blueprint({ name: 'worker', steps })
    await blueprint.start()
    await blueprint.terminate()
    expect(log.slice(3)).toEqual(['stop c', 'terminate pool', 'stop a'])
  })

  test('cuts short the step that is being stopped, which is no error', async () => {
    const { log, step } = recorder()
    const stopping = deferred()
    const pool = step('pool', {
      stop() {
        stopping.resolve()
        return never()
      },
      terminate: () => void log.push('terminate pool'),
    })
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a'), pool, step('c')] })
    await blueprint.start()
    const warm = blueprint.stop()
    await stopping.promise
    await Promise.all([blueprint.terminate(), warm, blueprint.closed])
    expect(log.slice(3)).toEqual(['stop c', 'terminate pool', 'stop a'])
  })

  test('does not wait for a step that is starting if it can be terminated, and undoes it if it comes after all', async () => {
    const { log, step } = recorder()
    const gate = deferred()
    const pool = step('pool', { start: () => gate.promise, terminate: () => void log.push('terminate pool') })
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a'), pool] })
    const refused = expect(blueprint.start()).rejects.toBeInstanceOf(BlueprintStoppedError)
    await turn()
    await Promise.all([blueprint.terminate(), refused])
    expect(log).toEqual(['start a', 'terminate pool', 'stop a'])
    gate.resolve()
    await turn()
    expect(log.at(-1)).toBe('stop pool')
  })

  test('still waits for a step that cannot be terminated', async () => {
    const { log, step } = recorder()
    const gate = deferred()
    const blueprint = new Blueprint({ name: 'worker', steps: [step('a'), step('b', { stop: () => gate.promise })] })
    await blueprint.start()
    const ending = blueprint.terminate()
    await turn()
    expect(log).toEqual(['start a', 'start b'])
    gate.resolve()
    await ending
    expect(log.at(-1)).toBe('stop a')
  })
})

test('shows the graph that is in force', () => {
  const { step } = recorder()
  const blueprint = new Blueprint({ name: 'worker', steps: [step('b', { requires: ['a'] }), step('a')] })
  expect(blueprint.graph()).toEqual({ steps: ['a', 'b'], edges: [{ step: 'b', requires: 'a' }] })
})
