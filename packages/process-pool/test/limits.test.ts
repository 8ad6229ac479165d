import { expect, test } from 'vitest'
import type { ChildExit } from '../src/index.ts'
import { lines, reply, run, startPool, submit, temporaryFile, until } from './pool-harness.ts'

test('the soft limit aborts the signal of a job', async () => {
  await using pool = await startPool()
  let told = 0
  const onSoftTimeout = (): void => void told++
  expect(await reply(pool, { do: 'waitForAbort' }, { softTimeoutMs: 50, onSoftTimeout })).toEqual({
    name: 'SoftTimeLimitExceeded',
    code: 'ERR_CELERY_SOFT_TIME_LIMIT',
    limitMs: 50,
  })
  expect(told).toBe(1)
  await reply(pool, { do: 'echo' }, { softTimeoutMs: 20_000, onSoftTimeout })
  expect(told).toBe(1)
})

test('the soft limit of one job does not reach the next', async () => {
  await using pool = await startPool()
  const jobs = [
    submit(pool, { do: 'block', ms: 80 }, { softTimeoutMs: 20 }),
    submit(pool, { do: 'waitForAbort' }, { softTimeoutMs: 150 }),
  ]
  const outcomes = await Promise.all(jobs.map(({ done }) => done))
  expect(outcomes).toMatchObject([{ type: 'reply' }, { type: 'reply', header: { limitMs: 150 } }])
})

test('the hard limit kills a child that blocks, and a new one takes its place', async () => {
  await using pool = await startPool()
  const { started, done } = submit(pool, { do: 'block', ms: 60_000 }, { timeoutMs: 100 })
  const pid = await started
  const start = performance.now()
  expect(await done).toEqual({ type: 'timeout', pid, limitMs: 100 })
  const took = performance.now() - start
  expect(took).toBeGreaterThan(90)
  expect(took).toBeLessThan(2_000)
  expect(await reply(pool, { do: 'pid' })).not.toBe(pid)
})

test('the hard limit kills a child that is stopped', async () => {
  await using pool = await startPool()
  const { started, done } = submit(pool, { do: 'sleep', ms: 60_000 }, { timeoutMs: 200 })
  process.kill(await started, 'SIGSTOP')
  expect(await done).toMatchObject({ type: 'timeout', limitMs: 200 })
})

test('time counts from the start of a job, not from its submission', async () => {
  await using pool = await startPool()
  const jobs = Array.from({ length: 5 }, () => submit(pool, { do: 'sleep', ms: 250 }, { timeoutMs: 900 }))
  const outcomes = await Promise.all(jobs.map(({ done }) => done))
  expect(outcomes.map(({ type }) => type)).toEqual(Array(5).fill('reply'))
})

test('a pool that was itself blocked hears its children before it judges them', async () => {
  await using pool = await startPool()
  const { started, done } = submit(pool, { do: 'sleep', ms: 30 }, { timeoutMs: 500 })
  const pid = await started
  const resumeAt = Date.now() + 1_000
  while (Date.now() < resumeAt);
  expect(await done).toMatchObject({ type: 'reply' })
  expect(await reply(pool, { do: 'pid' })).toBe(pid)
})

test('a running job can be killed, a waiting one is recalled, a finished one is not found', async () => {
  await using pool = await startPool()
  const running = submit(pool, { do: 'block', ms: 60_000 })
  const waiting = submit(pool, { do: 'echo' })
  const pid = await running.started
  expect(pool.kill(waiting.job)).toBe(true)
  expect(pool.kill(running.job)).toBe(true)
  expect(await waiting.done).toEqual({ type: 'recalled' })
  expect(await running.done).toEqual({ type: 'killed', pid })
  expect(pool.kill(running.job)).toBe(false)
  await until('a new child', () => pool.idle === 1)
  expect(await run(pool, { do: 'echo' })).toMatchObject({ type: 'reply' })
})

test('a child that an earlier job left blocked is replaced, and what it was sent runs elsewhere', async () => {
  const exits: ChildExit[] = []
  await using pool = await startPool({ unresponsiveMs: 300, events: { onChildExit: (exit) => exits.push(exit) } })
  const file = temporaryFile('blocked')
  const pid = await reply(pool, { do: 'blockLater', file })
  // A job that came before would run there.
  await until('the child is blocked', () => lines(file).length > 0)
  expect(await reply(pool, { do: 'pid' })).not.toBe(pid)
  expect(exits).toMatchObject([{ pid, reason: 'unresponsive' }])
})
