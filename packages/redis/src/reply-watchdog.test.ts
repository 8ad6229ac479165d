import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readRedisTarget } from './connect/redis-target.ts'
import { ReplyWatchdog } from './reply-watchdog.ts'

const { healthCheckIntervalMs: idleMs, replyTimeoutMs } = readRedisTarget({
  scheme: 'redis',
  host: 'h',
  port: undefined,
  username: undefined,
  password: undefined,
  path: '0',
  query: {},
  alternates: [],
})

/** Milliseconds from the moment at which nothing moves any more until that is noticed. */
function noticedAfter(silentAtMs: number, waits: 'from the start' | 'when asked'): number {
  let now = 0
  let waiting = waits === 'from the start'
  let noticedAt: number | undefined
  const watchdog = new ReplyWatchdog({
    replyTimeoutMs,
    idleMs,
    isWaiting: () => waiting,
    hasMoved: () => now <= silentAtMs,
    ask: () => {
      waiting = now > silentAtMs
    },
    onSilence: () => {
      noticedAt ??= now
    },
  })
  for (; noticedAt === undefined && now < 120_000; now += 50) vi.advanceTimersByTime(50)
  watchdog.stop()
  return (noticedAt ?? Number.POSITIVE_INFINITY) - silentAtMs
}

describe('F-32: by default, a server that says nothing any more', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  const moments = [0, 100, 700, 1_200, 14_950, 15_000, 15_050, 33_300]

  test.each(moments)('is noticed within 30 s where nothing was asked of it, from %d ms on', (silentAtMs) => {
    expect(noticedAfter(silentAtMs, 'when asked')).toBeLessThanOrEqual(30_000)
  })

  test.each(moments)('and within its time where an answer is owed, but no sooner, from %d ms on', (silentAtMs) => {
    const afterMs = noticedAfter(silentAtMs, 'from the start')
    expect(afterMs).toBeGreaterThanOrEqual(replyTimeoutMs)
    expect(afterMs).toBeLessThanOrEqual(replyTimeoutMs * 1.25 + 50)
  })
})
