import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { TraceInput, TraceOutcome } from '@celery/app/internal'
import { type Clock, deferred, ManualClock } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { AsyncPool } from './async-pool.ts'
import type { JobResult, TaskJob } from './task-pool.ts'

const outcome: TraceOutcome = { state: 'SUCCESS', runtime: 0, text: '' }

/** A pool whose tasks end when the test says so, and what it reported. */
function setUp(concurrency: number, clock?: Clock) {
  const ends = new Map<string, () => void>()
  const log: string[] = []
  const pool = new AsyncPool({
    concurrency,
    ...(clock === undefined ? {} : { clock }),
    trace: async ({ queue: name }) => {
      const end = deferred()
      ends.set(name, () => end.resolve())
      await end.promise
      return outcome
    },
  })
  const job = (name: string, limits: { timeLimit?: number; softTimeLimit?: number } = {}): TaskJob => ({
    name,
    origin: { hostname: 'here', queue: name, redeliveries: 0 },
    readInput: () => ({ queue: name }) as TraceInput,
    envelope: undefined,
    timeLimit: limits.timeLimit,
    softTimeLimit: limits.softTimeLimit,
    onStarted: () => void log.push(`${name} started`),
    onSoftTimeout: () => void log.push(`${name} told`),
    onDone: (result: JobResult) => void log.push(`${name} ${result.type}`),
  })
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.()
    await turn()
  }
  return { pool, job, log, end }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('the async pool', () => {
  test('runs as many as it has slots, the others in their order', async () => {
    const { end, job, log, pool } = setUp(2)
    for (const name of ['a', 'b', 'c', 'd']) pool.submit(job(name))
    await turn()
    expect(log).toEqual(['a started', 'b started'])
    await end('b')
    expect(log.slice(2)).toEqual(['b outcome', 'c started'])
    await end('a')
    await end('c')
    await end('d')
    expect(log.slice(4)).toEqual(['a outcome', 'd started', 'c outcome', 'd outcome'])
  })

  test('tasks that never wait end in the order in which they came, and let others have their turn', async () => {
    const log: string[] = []
    const pool = new AsyncPool({
      concurrency: 1,
      trace: () => {
        for (const until = performance.now() + 3; performance.now() < until; );
        return outcome
      },
    })
    const { job } = setUp(1)
    let turns = 0
    const immediate = (): void => {
      turns++
      if (log.length < 20) setImmediate(immediate)
    }
    immediate()
    for (let n = 0; n < 20; n++) pool.submit({ ...job(String(n)), onDone: () => void log.push(String(n)) })
    while (log.length < 20) await turn()
    expect(log).toEqual(Array.from({ length: 20 }, (_, n) => String(n)))
    expect(turns).toBeGreaterThan(3)
  })

  test('gives back what has not started, and that never runs', async () => {
    const { end, job, log, pool } = setUp(1)
    for (const name of ['a', 'b', 'c']) pool.submit(job(name))
    await turn()
    await pool.recall()
    await pool.recall()
    await end('a')
    expect(log).toEqual(['a started', 'b recalled', 'c recalled', 'a outcome'])
  })

  test('stops when what runs has ended, for everybody who waits for it', async () => {
    const { end, job, log, pool } = setUp(2)
    for (const name of ['a', 'b', 'c']) pool.submit(job(name))
    await turn()
    let stopped = 0
    const stops = [pool.stop(), pool.stop()].map((stop) => stop.then(() => stopped++))
    await end('a')
    expect(stopped).toBe(0)
    await end('b')
    await Promise.all(stops)
    expect(log).toEqual(['a started', 'b started', 'c recalled', 'a outcome', 'b outcome'])
    await pool.stop()
  })

  test('a task over its hard limit is reported once, keeps its slot, and keeps no stop', async () => {
    const { end, job, log, pool } = setUp(1)
    pool.submit(job('a', { timeLimit: 0.01 }))
    pool.submit(job('b'))
    while (log.length < 2) await turn()
    expect(log).toEqual(['a started', 'a timeout'])
    await end('a')
    expect(log.slice(2)).toEqual(['b started'])
    pool.submit(job('c', { timeLimit: 0.01 }))
    await end('b')
    while (!log.includes('c timeout')) await turn()
    await pool.stop()
    expect(log.filter((line) => line.endsWith('outcome'))).toEqual(['b outcome'])
  })

  test('P-12 tells how many slots are stuck, and is healthy while there is another one', async () => {
    const clock = new ManualClock()
    const { end, job, pool } = setUp(2, clock)
    const state = () => ({ healthy: pool.healthy, stuck: pool.stuck })
    for (const name of ['a', 'b']) pool.submit(job(name, { timeLimit: 1 }))
    await turn()
    expect(state()).toEqual({ healthy: true, stuck: 0 })
    await end('a')
    pool.submit(job('c', { timeLimit: 2 }))
    clock.advance(1_000)
    expect(state()).toEqual({ healthy: true, stuck: 1 })
    clock.advance(1_000)
    expect(state()).toEqual({ healthy: false, stuck: 2 })
    expect(pool.info()).toMatchObject({ running: 2, stuck: 2 })
    await end('b')
    expect(state()).toEqual({ healthy: true, stuck: 1 })
    await pool.terminate()
    await end('c')
    expect(state()).toEqual({ healthy: true, stuck: 0 })
  })

  test('P-11 keeps nothing of what has ended, even if something always waits', async () => {
    const { end, job, log, pool } = setUp(1)
    const jobs: WeakRef<TaskJob>[] = []
    const submit = (): void => {
      const next = job(String(jobs.length))
      jobs.push(new WeakRef(next))
      pool.submit(next)
    }
    submit()
    submit()
    for (let ended = 0; ended < 20; ended++) {
      submit()
      await end(String(ended))
    }
    expect(log.slice(-1)).toEqual(['20 started'])
    setFlagsFromString('--expose-gc')
    runInNewContext('gc')()
    // One that runs, one that waits, and what the engine itself may not have let go yet.
    expect(jobs.filter((kept) => kept.deref() !== undefined).length).toBeLessThan(5)
    await end('20')
    await end('21')
  })

  test('a cold end loses what runs, and what comes of it later counts no more', async () => {
    const { end, job, log, pool } = setUp(1)
    pool.submit(job('a'))
    pool.submit(job('b'))
    await turn()
    const stop = pool.stop()
    await pool.terminate()
    await stop
    await end('a')
    expect(log).toEqual(['a started', 'b recalled', 'a lost'])
  })

  test('a limit of a month does not end a task at once, though no timer of Node can be as long', async () => {
    const { end, job, log, pool } = setUp(1)
    const month = 30 * 24 * 3_600
    pool.submit(job('a', { timeLimit: month, softTimeLimit: month }))
    // A timer that is too long for Node fires after a millisecond.
    const timer = deferred()
    setTimeout(() => timer.resolve(), 20)
    await timer.promise
    expect(log).toEqual(['a started'])
    await end('a')
    expect(log).toEqual(['a started', 'a outcome'])
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('a tracer that %s costs its task, not the slot, and leaves no limit behind', async (_how, trace) => {
    const log: string[] = []
    const clock = new ManualClock()
    const pool = new AsyncPool({ concurrency: 1, clock, trace })
    const { job } = setUp(1)
    for (const name of ['a', 'b']) {
      const limits = name === 'a' ? {} : { timeLimit: 5, softTimeLimit: 1 }
      pool.submit({ ...job(name, limits), onStarted() {}, onDone: (result) => void log.push(`${name} ${result.type}`) })
    }
    while (log.length < 2) await turn()
    expect(log).toEqual(['a untold', 'b untold'])
    expect(clock.pending).toBe(0)
    await pool.stop()
  })
})
