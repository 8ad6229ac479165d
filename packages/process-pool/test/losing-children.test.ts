import { describe, expect, test } from 'vitest'
import type { ChildExit } from '../src/index.ts'
import { reply, run, startPool, submit, until, warmUp } from './pool-harness.ts'

describe('F-01: a child that is killed', () => {
  test('loses its job at once, is replaced within a second, and disturbs nobody', async () => {
    const exits: ChildExit[] = []
    await using pool = await startPool({ size: 2, events: { onChildExit: (exit) => exits.push(exit) } })
    const victim = submit(pool, { do: 'sleep', ms: 60_000 })
    const sibling = submit(pool, { do: 'sleep', ms: 500 })
    const pid = await victim.started
    const siblingPid = await sibling.started
    const killedAt = performance.now()
    process.kill(pid, 'SIGKILL')
    expect(await victim.done).toEqual({ type: 'lost', pid, exitCode: null, signal: 'SIGKILL' })
    expect(performance.now() - killedAt).toBeLessThan(2_000)
    await until('another is starting in its place', () => pool.children.length === 2, 1_000)
    expect(await sibling.done).toMatchObject({ type: 'reply', header: siblingPid })
    expect(exits).toMatchObject([{ pid, reason: 'lost', signal: 'SIGKILL' }])
  })

  test('while idle is replaced too', async () => {
    await using pool = await startPool()
    const pid = pool.children[0]!.pid
    await reply(pool, { do: 'echo' })
    process.kill(pid, 'SIGKILL')
    await until('another is starting in its place', () => pool.children.some((child) => child.pid !== pid), 1_000)
    expect(await reply(pool, { do: 'pid' })).not.toBe(pid)
  })

  test('does not take along the replies that it had written', async () => {
    await using pool = await startPool({ size: 1 })
    await warmUp(pool)
    for (let round = 0; round < 4; round += 1) {
      const before = Array.from({ length: 20 }, (_, value) => submit(pool, { do: 'echo', value }))
      const last = submit(pool, { do: 'exit', status: 9 })
      expect(await last.done).toMatchObject({ type: 'lost', exitCode: 9 })
      const outcomes = await Promise.all(before.map(({ done }) => done))
      expect(outcomes.map((outcome) => outcome.type === 'reply' && outcome.header)).toEqual(before.map((_, i) => i))
    }
  })
})

describe('F-07: a job that ends its process is lost', () => {
  test.each([
    [
      { do: 'exit', status: 0 },
      { exitCode: 0, signal: null },
    ],
    [
      { do: 'exit', status: 3 },
      { exitCode: 3, signal: null },
    ],
    [{ do: 'abort' }, { exitCode: null, signal: 'SIGABRT' }],
    [{ do: 'throwInTimer' }, { exitCode: 1, error: { name: 'RangeError', message: 'thrown in a timer' } }],
    [{ do: 'rejectUnhandled' }, { exitCode: 1, error: { name: 'RangeError', message: 'rejected and forgotten' } }],
  ])('by %j', async (action, expected) => {
    await using pool = await startPool()
    const { started, done } = submit(pool, action)
    const pid = await started
    const start = performance.now()
    expect(await done).toMatchObject({ type: 'lost', pid, ...expected })
    expect(performance.now() - start).toBeLessThan(2_000)
    expect(await reply(pool, { do: 'pid' })).not.toBe(pid)
  })
})

test('F-06: a child that exhausts its heap is lost', async () => {
  await using pool = await startPool({ execArgv: ['--max-old-space-size=32'], stdout: 'ignore' })
  expect(await run(pool, { do: 'exhaustHeap' })).toMatchObject({ type: 'lost', signal: 'SIGABRT' })
  expect(await reply(pool, { do: 'echo', value: 1 })).toBe(1)
})

test('a child that writes nonsense into its pipe is killed; the pool goes on', async () => {
  const errors: Error[] = []
  await using pool = await startPool({ events: { onError: (error) => errors.push(error) } })
  expect(await run(pool, { do: 'scribble' })).toMatchObject({ type: 'lost', signal: 'SIGKILL' })
  expect(errors).toMatchObject([{ code: 'ERR_CELERY_CORRUPT_FRAME' }])
  expect(await reply(pool, { do: 'echo', value: 1 })).toBe(1)
})
