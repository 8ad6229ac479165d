import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { abortable, throwIfAborted, unlessAborted } from './abort.ts'
import { deferred } from './deferred.ts'

const never = (): Promise<never> => new Promise<never>(() => {})

describe('abortable', () => {
  test('settles as the promise does, and takes its listener back', async () => {
    const { signal } = new AbortController()
    expect(await abortable(Promise.resolve(1), signal)).toBe(1)
    await expect(abortable(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  test('works without a signal', async () => {
    expect(await abortable(Promise.resolve(1), undefined)).toBe(1)
  })

  test('rejects with the reason of the signal, at once', async () => {
    const controller = new AbortController()
    const waiting = abortable(never(), controller.signal)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(abortable(never(), controller.signal)).rejects.toThrow('enough')
  })

  test('takes care of a promise that rejects after the abort', async () => {
    // Vitest fails the run on an unhandled rejection; both ways of being aborted must leave none.
    const controller = new AbortController()
    const [early, late] = [deferred(), deferred()]
    const waiting = abortable(early.promise, controller.signal)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(abortable(late.promise, controller.signal)).rejects.toThrow('enough')
    early.reject(new Error('nobody waits for this'))
    late.reject(new Error('nor for this'))
    await new Promise((resolve) => setImmediate(resolve))
  })

  test('raises no warning when hundreds wait for one signal', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    const controller = new AbortController()
    const waiting = Array.from({ length: 500 }, () => abortable(never(), controller.signal).catch(() => 'aborted'))
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['aborted']))
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })
})

describe('throwIfAborted', () => {
  test('throws the reason of an aborted signal only', () => {
    expect(() => throwIfAborted(undefined)).not.toThrow()
    expect(() => throwIfAborted(new AbortController().signal)).not.toThrow()
    expect(() => throwIfAborted(AbortSignal.abort(new Error('gone')))).toThrow('gone')
  })
})

describe('unlessAborted', () => {
  test('settles what the signal has ended, whatever it rejects with', async () => {
    const controller = new AbortController()
    const work = deferred()
    const settled = work.promise.catch(unlessAborted(controller.signal))
    controller.abort()
    work.reject(new Error('stopped on the way'))
    expect(await settled).toBeUndefined()
  })

  test('passes on what fails by itself', async () => {
    const { signal } = new AbortController()
    await expect(Promise.reject(new Error('no')).catch(unlessAborted(signal))).rejects.toThrow('no')
  })
})
