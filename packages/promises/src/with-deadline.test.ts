import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { deferred } from './deferred.ts'
import { ManualClock } from './manual-clock.ts'
import { withDeadline } from './with-deadline.ts'

const late = (): Error => new Error('too late')

describe('withDeadline', () => {
  test('settles as the work does when that is in time, and leaves neither timer nor listener', async () => {
    const clock = new ManualClock()
    const { signal } = new AbortController()
    expect(await withDeadline(Promise.resolve(1), 10, late, { clock, signal })).toBe(1)
    expect(await withDeadline(() => 2, 10, late, { clock, signal })).toBe(2)
    const failing = (): never => {
      throw new Error('at once')
    }
    await expect(withDeadline(failing, 10, late, { clock, signal })).rejects.toThrow('at once')
    expect(clock.pending).toBe(0)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  test('rejects with the given error at the deadline, and tells the work', async () => {
    const clock = new ManualClock()
    let told: unknown
    const work = (signal: AbortSignal): Promise<never> =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          told = signal.reason
          reject(new Error('stopped'))
        })
      })
    const waiting = withDeadline(work, 100, late, { clock })
    clock.advance(99)
    expect(told).toBeUndefined()
    clock.advance(1)
    await expect(waiting).rejects.toThrow('too late')
    expect(told).toMatchObject({ message: 'too late' })
  })

  test('takes care of a promise that rejects after the deadline', async () => {
    const clock = new ManualClock()
    const work = deferred()
    const waiting = withDeadline(work.promise, 1, late, { clock })
    clock.advance(1)
    await expect(waiting).rejects.toThrow('too late')
    work.reject(new Error('nobody waits for this'))
    await new Promise((resolve) => setImmediate(resolve))
  })

  test('ends with the reason of the signal, and cancels the timer', async () => {
    const clock = new ManualClock()
    const controller = new AbortController()
    let inner: AbortSignal | undefined
    const work = (signal: AbortSignal): Promise<never> => {
      inner = signal
      return new Promise(() => {})
    }
    const waiting = withDeadline(work, 100, late, { clock, signal: controller.signal })
    controller.abort(new Error('shutting down'))
    await expect(waiting).rejects.toThrow('shutting down')
    expect(inner?.aborted).toBe(true)
    expect(clock.pending).toBe(0)
  })

  test('does not begin the work when the signal has aborted before', async () => {
    const signal = AbortSignal.abort(new Error('gone'))
    let ran = false
    const work = (): void => {
      ran = true
    }
    await expect(withDeadline(work, 100, late, { signal })).rejects.toThrow('gone')
    expect(ran).toBe(false)
  })

  test('sets no timer for an infinite deadline', async () => {
    const clock = new ManualClock()
    const work = deferred<string>()
    const waiting = withDeadline(work.promise, Number.POSITIVE_INFINITY, late, { clock })
    expect(clock.pending).toBe(0)
    work.resolve('done')
    expect(await waiting).toBe('done')
  })
})
