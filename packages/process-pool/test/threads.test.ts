import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ChildStartError } from '../src/index.ts'
import { ThreadPool, type ThreadPoolOptions } from '../src/thread-pool.ts'
import { fixture, lines, reply, run, submit, temporaryFile, until, warmUp } from './pool-harness.ts'

async function startThreads(options: Partial<ThreadPoolOptions> = {}): Promise<ThreadPool> {
  const pool = new ThreadPool({ module: fixture('jobs.mjs'), size: 1, ...options })
  await pool.start()
  return pool
}

test('runs jobs in this process: headers, text and bytes arrive as they were given', async () => {
  await using pool = await startThreads({ init: { from: 'the pool' } })
  expect(await reply(pool, { do: 'pid' })).toBe(process.pid)
  expect(await reply(pool, { do: 'init' })).toEqual({ from: 'the pool' })
  expect(await run(pool, { do: 'echo', value: [1, 'ü'] }, { body: 'tëxt' })).toMatchObject({
    type: 'reply',
    header: [1, 'ü'],
    body: 'tëxt',
  })
  const bytes = new Uint8Array(3_000_000).fill(9)
  expect(await reply(pool, { do: 'length' }, { body: bytes })).toEqual({ length: 3_000_000, kind: 'object', last: 9 })
  const large = await run(pool, { do: 'large', bytes: 3_000_000, text: true })
  expect(large.type === 'reply' && large.body).toBe('é'.repeat(1_500_000))
})

test('each job has a thread to itself while it runs', async () => {
  await using pool = await startThreads({ size: 2 })
  const first = submit(pool, { do: 'block', ms: 60_000 }, { timeoutMs: 20_000 })
  await first.started
  expect(await reply(pool, { do: 'pid' })).toBe(process.pid)
  expect(pool.kill(first.job)).toBe(true)
  expect(await first.done).toEqual({ type: 'killed', pid: process.pid })
})

test('what a job throws is its failure, and the thread lives on', async () => {
  await using pool = await startThreads()
  await reply(pool, { do: 'startTicking', everyMs: 1_000 })
  expect(await run(pool, { do: 'throw', message: 'no' })).toMatchObject({
    type: 'failed',
    error: { name: 'TypeError', message: 'no' },
  })
  expect(await reply(pool, { do: 'ticks' })).toBe(0)
})

test('the soft limit aborts the signal of a job', async () => {
  await using pool = await startThreads()
  expect(await reply(pool, { do: 'waitForAbort' }, { softTimeoutMs: 50 })).toMatchObject({
    name: 'SoftTimeLimitExceeded',
    limitMs: 50,
  })
})

test('F-08 the hard limit ends a thread that blocks, and a new one takes its place', async () => {
  await using pool = await startThreads()
  const { started, done } = submit(pool, { do: 'block', ms: 60_000 }, { timeoutMs: 100 })
  await started
  const start = performance.now()
  expect(await done).toEqual({ type: 'timeout', pid: process.pid, limitMs: 100 })
  expect(performance.now() - start).toBeLessThan(2_000)
  expect(await reply(pool, { do: 'pid' })).toBe(process.pid)
})

test('a thread inside native code at its hard limit: the job is reported as stuck, and others run', async () => {
  const file = temporaryFile('released')
  await using pool = await startThreads()
  const { started, done } = submit(pool, { do: 'waitNatively', file }, { timeoutMs: 100 })
  await started
  // The place of the one that hangs is filled at once.
  expect(await reply(pool, { do: 'pid' })).toBe(process.pid)
  expect(await done).toEqual({ type: 'timeout', pid: process.pid, limitMs: 100, stuck: true })
  // A thread in native code would keep the tests from ending.
  writeFileSync(file, '')
}, 30_000)

test.each([
  ['by process.exit()', { do: 'exit', status: 3 }, { exitCode: 3 }],
  ['by an error in a timer', { do: 'throwInTimer' }, { exitCode: 1, error: { name: 'RangeError' } }],
  ['by a rejection', { do: 'rejectUnhandled' }, { exitCode: 1, error: { name: 'RangeError' } }],
])('a thread that ends %s loses its job only, and is replaced', async (_how, action, lost) => {
  await using pool = await startThreads()
  expect(await run(pool, action)).toMatchObject({ type: 'lost', pid: process.pid, ...lost })
  expect(await reply(pool, { do: 'pid' })).toBe(process.pid)
})

test('F-06 a thread whose heap is full loses its job only, and is replaced', async () => {
  await using pool = await startThreads({ maxHeapBytes: 32 * 1024 * 1024 })
  expect(await run(pool, { do: 'exhaustHeap' })).toMatchObject({ type: 'lost', error: { message: /memory/ } })
  expect(await reply(pool, { do: 'pid' })).toBe(process.pid)
})

test('no job runs twice and none is lost through ends of threads', async () => {
  const file = temporaryFile('ledger')
  await using pool = await startThreads({ size: 2 })
  const jobs = Array.from({ length: 60 }, (_, id) =>
    submit(pool, { do: 'ledger', file, id, ...(id % 10 === 5 ? { exit: 1 } : {}) }),
  )
  const outcomes = await Promise.all(jobs.map(({ done }) => done))
  expect(outcomes.filter(({ type }) => type === 'lost')).toHaveLength(6)
  expect(outcomes.filter(({ type }) => type === 'reply')).toHaveLength(54)
  expect(new Set(lines(file)).size).toBe(60)
  expect(lines(file)).toHaveLength(60)
})

test('a thread is replaced after so many jobs, and when it has grown too large', async () => {
  const exits: string[] = []
  await using counted = await startThreads({
    maxJobsPerChild: 2,
    events: { onChildExit: ({ reason }) => exits.push(reason) },
  })
  for (let i = 0; i < 4; i += 1) await reply(counted, { do: 'echo' })
  await until('two threads to be replaced', () => exits.length >= 2)
  expect(exits).toEqual(['closed', 'closed'])

  await using weighed = await startThreads({
    maxMemoryPerChildBytes: 100 * 1024 * 1024,
    events: { onChildExit: ({ reason }) => exits.push(reason) },
  })
  await reply(weighed, { do: 'allocate', bytes: 150 * 1024 * 1024 })
  await until('the thread to be replaced', () => exits.length >= 3)
  expect(await reply(weighed, { do: 'pid' })).toBe(process.pid)
})

test('jobs sent ahead are called back from a thread that is busy', async () => {
  await using pool = await startThreads()
  await warmUp(pool)
  const first = submit(pool, { do: 'sleep', ms: 300 })
  const others = Array.from({ length: 5 }, () => submit(pool, { do: 'echo' }))
  await first.started
  expect(await pool.recall()).toBe(5)
  expect((await Promise.all(others.map(({ done }) => done))).map(({ type }) => type)).toEqual(Array(5).fill('recalled'))
  expect(await first.done).toMatchObject({ type: 'reply' })
})

test('a warm end waits for what runs, a cold one does not', async () => {
  const warm = await startThreads()
  const sleeping = submit(warm, { do: 'sleep', ms: 100 })
  await sleeping.started
  const waiting = submit(warm, { do: 'echo' })
  await warm.close()
  expect(await sleeping.done).toMatchObject({ type: 'reply' })
  expect(await waiting.done).toEqual({ type: 'recalled' })

  const cold = await startThreads()
  const blocking = submit(cold, { do: 'block', ms: 60_000 })
  await blocking.started
  await cold.terminate()
  expect(await blocking.done).toMatchObject({ type: 'lost' })
  expect(cold.children).toEqual([])
})

test.each(['fails-to-load.mjs', 'fails-in-setup.mjs'])('a thread that cannot start says why: %s', async (module) => {
  const pool = new ThreadPool({ module: fixture(module), size: 2 })
  const error = await pool.start().catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(ChildStartError)
  expect((error as Error).message).toMatch(/the app module is broken|no such database/)
})
