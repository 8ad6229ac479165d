import { rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type ChildExit, ProcessPool } from '../src/index.ts'
import { fixture, isAlive, lines, reply, run, startPool, submit, temporaryFile, until, warmUp } from './pool-harness.ts'

describe('starting', () => {
  test.each([
    ['fails-to-load.mjs', 'SyntaxError: the app module is broken'],
    ['fails-in-setup.mjs', 'Error: no such database'],
    ['never-serves.mjs', 'must call serveJobs()'],
    ['does-not-exist.mjs', 'Cannot find module'],
  ])('rejects with the words of the child: %s', async (name, words) => {
    const pool = new ProcessPool({ module: fixture(name), size: 2, stderr: 'ignore' })
    await expect(pool.start()).rejects.toMatchObject({
      code: 'ERR_CELERY_CHILD_START',
      message: expect.stringContaining(words),
    })
    expect(pool.children).toEqual([])
  })

  test('rejects when a child takes too long', async () => {
    const pool = new ProcessPool({ module: fixture('never-ready.mjs'), size: 1, startTimeoutMs: 300 })
    await expect(pool.start()).rejects.toMatchObject({ message: expect.stringContaining('300 ms') })
  })

  test('is called off by closing', async () => {
    const pool = new ProcessPool({ module: fixture('never-ready.mjs'), size: 1 })
    const started = pool.start()
    await pool.close({ graceMs: 100 })
    await expect(started).rejects.toMatchObject({ code: 'ERR_CELERY_POOL_CLOSED' })
    expect(pool.children).toEqual([])
  })

  test('F-09: replacements that fail do not become a storm of forks, and the pool recovers', async () => {
    const ledger = temporaryFile('forks')
    const failIf = temporaryFile('fail')
    const errors: Error[] = []
    await using pool = await startPool({
      module: fixture('dies-when-told.mjs'),
      size: 3,
      env: { ...process.env, FORK_LEDGER: ledger, FAIL_IF: failIf },
      events: { onError: (error) => errors.push(error) },
    })
    writeFileSync(failIf, '')
    const start = performance.now()
    for (const { pid } of pool.children) process.kill(pid, 'SIGKILL')
    await until('four failures', () => errors.length >= 4)
    // One after the other, after pauses of 0.1, 0.2, 0.4 and 0.8 s.
    expect(performance.now() - start).toBeGreaterThan(1_400)
    expect(lines(ledger).length).toBeLessThanOrEqual(3 + 5)
    expect(errors[0]).toMatchObject({ message: expect.stringContaining('told to fail') })
    expect(pool.healthy).toBe(true)
    rmSync(failIf)
    await until('all are back', () => pool.idle === 3)
  })
})

describe('replacing', () => {
  test('after maxJobsPerChild jobs, without losing any', async () => {
    const file = temporaryFile('ledger')
    const exits: ChildExit[] = []
    await using pool = await startPool({
      size: 2,
      maxJobsPerChild: 10,
      events: { onChildExit: (exit) => exits.push(exit) },
    })
    const jobs = Array.from({ length: 50 }, (_, id) => submit(pool, { do: 'ledger', file, id }))
    const outcomes = await Promise.all(jobs.map(({ done }) => done))
    const byPid = new Map<number, number>()
    for (const outcome of outcomes) {
      if (outcome.type === 'reply') byPid.set(outcome.pid, (byPid.get(outcome.pid) ?? 0) + 1)
    }
    expect([...byPid.values()].reduce((a, b) => a + b)).toBe(50)
    expect(Math.max(...byPid.values())).toBeLessThanOrEqual(10)
    expect(exits.every(({ reason, exitCode }) => reason === 'closed' && exitCode === 0)).toBe(true)
    expect(new Set(lines(file)).size).toBe(50)
    expect(lines(file).length).toBe(50)
  })

  test('after a job that leaves it too large; what was sent ahead runs elsewhere', async () => {
    const file = temporaryFile('ledger')
    await using pool = await startPool({ maxMemoryPerChildBytes: 200 * 1024 * 1024 })
    await warmUp(pool)
    const large = submit(pool, { do: 'allocate', bytes: 300 * 1024 * 1024 })
    const jobs = Array.from({ length: 10 }, (_, id) => submit(pool, { do: 'ledger', file, id }))
    expect(pool.children[0]).toMatchObject({ jobs: 11 })
    const outcome = await large.done
    const outcomes = await Promise.all(jobs.map(({ done }) => done))
    expect(outcome).toMatchObject({ type: 'reply' })
    const largePid = outcome.type === 'reply' ? outcome.pid : 0
    expect(outcomes.map((other) => other.type === 'reply' && other.pid !== largePid)).toEqual(jobs.map(() => true))
    expect(lines(file).length).toBe(10)
    await until('the large one is gone', () => !isAlive(largePid))
  })

  test('after such a job also when nothing waits behind it', async () => {
    await using pool = await startPool({ maxMemoryPerChildBytes: 200 * 1024 * 1024 })
    const large = await reply(pool, { do: 'allocate', bytes: 300 * 1024 * 1024 })
    await until('the large one is gone', () => !isAlive(large as number))
    expect(await reply(pool, { do: 'pid' })).not.toBe(large)
  })
})

test('WORK-023 POOL-002 whoever replaces a child has its place, which the child knows and lists of processes show', async () => {
  const label = (index: number) => `[worker-${index}]`
  await using pool = await startPool({ size: 3, label })
  const places = () => pool.children.filter(({ state }) => state === 'ready').map(({ index }) => index)
  expect(places().sort()).toEqual([1, 2, 3])
  const second = pool.children.find(({ index }) => index === 2)
  process.kill(second?.pid as number, 'SIGKILL')
  await until('it is replaced', () => pool.idle === 3 && !pool.children.some(({ pid }) => pid === second?.pid))
  expect(places().sort()).toEqual([1, 2, 3])
  pool.shrink(2)
  await until('one is left', () => pool.children.length === 1)
  const [index] = places()
  expect(await reply(pool, { do: 'index' })).toBe(index)
  const { argv, title } = (await reply(pool, { do: 'argv' })) as { argv: string[]; title: string }
  expect(argv.at(-1)).toBe(`[worker-${index}]`)
  expect(title).toContain('node')
})

describe('growing and shrinking', () => {
  test('changes how many children there are', async () => {
    await using pool = await startPool()
    pool.grow(2)
    expect(pool.size).toBe(3)
    await until('three are ready', () => pool.idle === 3)
    pool.shrink(2)
    await until('one is left', () => pool.children.length === 1)
    expect(await reply(pool, { do: 'echo', value: 1 })).toBe(1)
  })

  test('takes idle children first and lets busy ones finish', async () => {
    await using pool = await startPool({ size: 3 })
    const busy = submit(pool, { do: 'sleep', ms: 200 })
    const pid = await busy.started
    pool.shrink(2)
    await until('one is left', () => pool.children.length === 1)
    expect(pool.children[0]).toMatchObject({ pid, state: 'ready' })
    pool.shrink(1)
    expect(await busy.done).toMatchObject({ type: 'reply' })
    await until('none is left', () => pool.children.length === 0)
    const waiting = submit(pool, { do: 'echo', value: 'later' })
    pool.grow(1)
    expect(await waiting.done).toMatchObject({ type: 'reply', header: 'later' })
  })
})

describe('ending', () => {
  test('close lets running jobs finish and gives the others back', async () => {
    const pool = await startPool({ size: 2 })
    await warmUp(pool)
    const jobs = Array.from({ length: 50 }, () => submit(pool, { do: 'sleep', ms: 150 }))
    await Promise.all([jobs[0]!.started, jobs[1]!.started])
    const pids = pool.children.map(({ pid }) => pid)
    await pool.close()
    const outcomes = await Promise.all(jobs.map(({ done }) => done))
    expect(outcomes.filter(({ type }) => type === 'reply').length).toBe(2)
    expect(outcomes.filter(({ type }) => type === 'recalled').length).toBe(48)
    expect(pids.filter(isAlive)).toEqual([])
    await pool.close()
  })

  test('close gives a child time for its own clean-up', async () => {
    const file = temporaryFile('closed')
    const pool = await startPool({ module: fixture('closes-slowly.mjs'), init: file, size: 2 })
    await pool.close()
    expect(lines(file)).toEqual(['closed', 'closed'])
  })

  test('close becomes terminate when its grace is over', async () => {
    const pool = await startPool()
    const { started, done } = submit(pool, { do: 'block', ms: 60_000 })
    const pid = await started
    await pool.close({ graceMs: 100 })
    expect(await done).toMatchObject({ type: 'lost', signal: 'SIGKILL' })
    expect(isAlive(pid)).toBe(false)
  })

  test('terminate kills everything at once', async () => {
    const pool = await startPool({ size: 2 })
    const jobs = Array.from({ length: 5 }, () => submit(pool, { do: 'block', ms: 60_000 }))
    await Promise.all([jobs[0]!.started, jobs[1]!.started])
    await Promise.all([pool.terminate(), pool.close()])
    const outcomes = await Promise.all(jobs.map(({ done }) => done))
    expect(outcomes.map(({ type }) => type)).toEqual(['lost', 'lost', 'recalled', 'recalled', 'recalled'])
    expect(pool.children).toEqual([])
  })

  test('is safe before start', async () => {
    const pool = new ProcessPool({ module: fixture('jobs.mjs'), size: 1 })
    const { done } = submit(pool, { do: 'echo' })
    await pool.close()
    expect(await done).toEqual({ type: 'recalled' })
    await pool.terminate()
  })

  test('is decided by the pool alone: children ignore the signals of a terminal', async () => {
    await using pool = await startPool()
    const { started, done } = submit(pool, { do: 'sleep', ms: 200 })
    const pid = await started
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.kill(pid, signal)
    expect(await done).toMatchObject({ type: 'reply', header: pid })
    expect(await run(pool, { do: 'pid' })).toMatchObject({ type: 'reply', header: pid })
  })
})
