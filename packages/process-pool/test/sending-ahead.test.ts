import { expect, test } from 'vitest'
import { lines, reply, run, startPool, submit, temporaryFile, warmUp } from './pool-harness.ts'

test('short jobs are sent ahead, jobs of an unknown or long kind are not', async () => {
  await using pool = await startPool()
  await warmUp(pool, 'short')
  const short = Array.from({ length: 10 }, () => submit(pool, { do: 'echo' }, { kind: 'short' }))
  expect(pool.children[0]).toMatchObject({ jobs: 10 })
  expect(pool.queued).toBe(0)
  await Promise.all(short.map(({ done }) => done))

  await run(pool, { do: 'sleep', ms: 30 }, { kind: 'long' })
  for (const kind of ['long', 'unknown']) {
    const first = submit(pool, { do: 'sleep', ms: 30 }, { kind })
    const second = submit(pool, { do: 'echo' }, { kind: 'short' })
    expect(pool.children[0]).toMatchObject({ jobs: 1 })
    await Promise.all([first.done, second.done])
  }
})

test('no child holds more jobs than it may', async () => {
  await using pool = await startPool({ maxPipelined: 4 })
  await warmUp(pool)
  const jobs = Array.from({ length: 10 }, () => submit(pool, { do: 'echo' }))
  expect(pool.children[0]).toMatchObject({ jobs: 4 })
  expect(pool.queued).toBe(6)
  await Promise.all(jobs.map(({ done }) => done))
})

test('a job stuck behind a long one is called back and given to another child', async () => {
  await using pool = await startPool({ size: 2 })
  await warmUp(pool)
  // Both children get one of these, believed to be short, and more behind them; only one is long.
  const long = submit(pool, { do: 'sleep', ms: 60_000 })
  const others = Array.from({ length: 20 }, (_, value) => submit(pool, { do: 'echo', value }))
  const start = performance.now()
  for (const [i, { done }] of others.entries()) expect(await done).toMatchObject({ type: 'reply', header: i })
  expect(performance.now() - start).toBeLessThan(5_000)
  pool.kill(long.job)
  await long.done
})

test('what a dying child had not started runs elsewhere, exactly once', async () => {
  const file = temporaryFile('ledger')
  await using pool = await startPool({ size: 2 })
  await warmUp(pool)
  const jobs = Array.from({ length: 100 }, (_, id) =>
    submit(pool, { do: 'ledger', file, id, ...(id % 20 === 7 ? { exit: 5 } : {}) }),
  )
  const outcomes = await Promise.all(jobs.map(({ done }) => done))
  expect(outcomes.filter(({ type }) => type === 'lost').length).toBe(5)
  expect(outcomes.filter(({ type }) => type === 'reply').length).toBe(95)
  expect(
    lines(file)
      .map(Number)
      .sort((a, b) => a - b),
  ).toEqual(jobs.map((_, id) => id))
})

test('what waits behind a job that blocks until its hard limit runs elsewhere afterwards', async () => {
  const file = temporaryFile('ledger')
  await using pool = await startPool({ size: 1 })
  await warmUp(pool)
  const blocked = submit(pool, { do: 'block', ms: 60_000 }, { timeoutMs: 150 })
  const behind = Array.from({ length: 10 }, (_, id) => submit(pool, { do: 'ledger', file, id }))
  expect(pool.children[0]).toMatchObject({ jobs: 11 })
  expect(await blocked.done).toMatchObject({ type: 'timeout' })
  for (const { done } of behind) expect(await done).toMatchObject({ type: 'reply' })
  expect(lines(file)).toEqual(behind.map((_, id) => String(id)))
})

test('recall gives back what has not started, and only that', async () => {
  const file = temporaryFile('ledger')
  await using pool = await startPool({ size: 1 })
  await warmUp(pool)
  const first = submit(pool, { do: 'ledger', file, id: 'first', ms: 300 })
  const rest = Array.from({ length: 100 }, (_, id) => submit(pool, { do: 'ledger', file, id }))
  await first.started
  expect(await pool.recall()).toBe(100)
  for (const { done } of rest) expect(await done).toEqual({ type: 'recalled' })
  expect(await first.done).toMatchObject({ type: 'reply', header: 'first' })
  expect(lines(file)).toEqual(['first'])
})

test('recall can choose', async () => {
  await using pool = await startPool({ size: 1 })
  const first = submit(pool, { do: 'sleep', ms: 200 })
  const kept = submit(pool, { do: 'echo', value: 'kept' })
  const wanted = submit(pool, { do: 'echo', value: 'wanted' })
  await first.started
  expect(await pool.recall((job) => job === wanted.job)).toBe(1)
  expect(await wanted.done).toEqual({ type: 'recalled' })
  expect(await kept.done).toMatchObject({ type: 'reply', header: 'kept' })
})

test('recall in the middle of a rush neither loses a job nor runs one twice', async () => {
  const file = temporaryFile('ledger')
  await using pool = await startPool({ size: 2 })
  await warmUp(pool)
  const jobs = Array.from({ length: 2_000 }, (_, id) => submit(pool, { do: 'ledger', file, id }))
  await jobs[100]!.started
  const recalled = await pool.recall()
  const outcomes = await Promise.all(jobs.map(({ done }) => done))
  const ran = outcomes.flatMap(({ type }, id) => (type === 'reply' ? [id] : []))
  expect(ran.length + recalled).toBe(2_000)
  expect(recalled).toBeGreaterThan(0)
  expect(
    lines(file)
      .map(Number)
      .sort((a, b) => a - b),
  ).toEqual(ran)
})

test('a stream of jobs leaves the event loop its turns', async () => {
  await using pool = await startPool()
  await reply(pool, { do: 'startTicking', everyMs: 10 })
  await run(pool, { do: 'block', ms: 2 }, { kind: 'busy' })
  const stream = Array.from({ length: 300 }, () => submit(pool, { do: 'block', ms: 2 }, { kind: 'busy' }))
  const ticks = submit(pool, { do: 'ticks' })
  await Promise.all(stream.map(({ done }) => done))
  const outcome = await ticks.done
  expect(outcome.type === 'reply' && (outcome.header as number)).toBeGreaterThan(10)
})
