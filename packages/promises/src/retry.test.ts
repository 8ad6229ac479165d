import { describe, expect, test } from 'vitest'
import { ManualClock } from './manual-clock.ts'
import { type RetryEvent, retry } from './retry.ts'

/** Fails `failures` times, then succeeds, and notes when it was called. */
function flaky(clock: ManualClock, failures: number): { calls: number[]; run: (retries: number) => Promise<string> } {
  const calls: number[] = []
  return {
    calls,
    async run(retries) {
      calls.push(clock.monotonic())
      if (retries < failures) throw new Error(`failure ${retries + 1}`)
      return 'done'
    },
  }
}

describe('retry', () => {
  test('returns at once what succeeds at once', async () => {
    expect(await retry(() => 1)).toBe(1)
  })

  test('tries again after the intervals of the policy', async () => {
    const clock = new ManualClock()
    const { calls, run } = flaky(clock, 3)
    const policy = { maxRetries: 3, intervalStart: 1, intervalStep: 1, intervalMax: 10 }
    const result = retry(run, { policy, clock })
    await clock.advanceAsync(10_000)
    expect(await result).toBe('done')
    expect(calls).toEqual([0, 1000, 3000, 6000])
  })

  test('takes plain seconds for a policy, and gives up where they end, with the last error as it was', async () => {
    const clock = new ManualClock()
    const { calls, run } = flaky(clock, 9)
    const result = expect(retry(run, { policy: [5, 1], clock })).rejects.toThrow('failure 3')
    await clock.advanceAsync(10_000)
    await result
    expect(calls).toEqual([0, 5000, 6000])
  })

  test('does not retry what is not worth it', async () => {
    const clock = new ManualClock()
    const { calls, run } = flaky(clock, 9)
    await expect(retry(run, { clock, retryOn: () => false })).rejects.toThrow('failure 1')
    expect(calls).toHaveLength(1)
  })

  test('tells before each wait why, how many came before and for how long', async () => {
    const clock = new ManualClock()
    const events: RetryEvent[] = []
    const result = retry(flaky(clock, 2).run, {
      policy: [0, 2],
      clock,
      onRetry: (event) => void events.push(event),
    })
    await clock.advanceAsync(10_000)
    await result
    expect(events).toEqual([
      { error: new Error('failure 1'), retries: 0, delayMs: 0 },
      { error: new Error('failure 2'), retries: 1, delayMs: 2000 },
    ])
  })

  test('lets the rest of the process run between tries without an interval', async () => {
    let turns = 0
    const count = setImmediate(function again() {
      turns++
      if (turns < 3) setImmediate(again)
    })
    await retry(
      () => {
        if (turns < 3) throw new Error('the others have not had their turn')
      },
      { policy: { maxRetries: null, intervalStep: 0 } },
    )
    clearImmediate(count)
    expect(turns).toBe(3)
  })

  test('begins no try after the deadline, and does not wait for nothing', async () => {
    const clock = new ManualClock()
    const { calls, run } = flaky(clock, 9)
    const result = retry(run, { policy: [1, 1, 5], deadlineMs: 3000, clock })
    const failed = expect(result).rejects.toThrow('failure 3')
    await clock.advanceAsync(2000)
    await failed
    expect(calls).toEqual([0, 1000, 2000])
  })

  test('an abort ends the wait, with the reason', async () => {
    const clock = new ManualClock()
    const controller = new AbortController()
    const { calls, run } = flaky(clock, 9)
    const result = retry(run, { policy: [60], clock, signal: controller.signal })
    await clock.whenPending()
    controller.abort(new Error('shutting down'))
    await expect(result).rejects.toThrow('shutting down')
    expect(calls).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  test('does not begin when aborted before, nor retry a try that was aborted', async () => {
    const aborted = AbortSignal.abort(new Error('gone'))
    const { calls, run: notRun } = flaky(new ManualClock(), 0)
    await expect(retry(notRun, { signal: aborted })).rejects.toThrow('gone')
    expect(calls).toEqual([])

    const controller = new AbortController()
    const onRetry = (): never => expect.unreachable('must not retry')
    const run = (): never => {
      controller.abort(new Error('shutting down'))
      throw new Error('connection closed')
    }
    await expect(retry(run, { signal: controller.signal, onRetry })).rejects.toThrow('shutting down')
  })
})
