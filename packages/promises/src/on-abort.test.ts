import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { onAbort } from './on-abort.ts'

const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

describe('onAbort', () => {
  test('calls every waiter once, in order', () => {
    const controller = new AbortController()
    const calls: string[] = []
    onAbort(controller.signal, () => calls.push('a'))
    onAbort(controller.signal, () => calls.push('b'))
    controller.abort()
    controller.abort()
    expect(calls).toEqual(['a', 'b'])
  })

  test('puts one listener on the signal for any number of waiters, and removes it with the last', () => {
    const { signal } = new AbortController()
    const forgets = Array.from({ length: 1000 }, () => onAbort(signal, () => {}))
    expect(listenersOf(signal)).toBe(1)
    for (const forget of forgets) forget()
    expect(listenersOf(signal)).toBe(0)
  })

  test('waits again after the last waiter was taken back', () => {
    const controller = new AbortController()
    const calls: string[] = []
    const forget = onAbort(controller.signal, () => calls.push('a'))
    forget()
    onAbort(controller.signal, () => calls.push('b'))
    forget()
    controller.abort()
    expect(calls).toEqual(['b'])
  })

  test('counts the same function given twice as two waiters', () => {
    const controller = new AbortController()
    let calls = 0
    const run = (): void => void calls++
    const forget = onAbort(controller.signal, run)
    onAbort(controller.signal, run)
    forget()
    controller.abort()
    expect(calls).toBe(1)
  })

  test('skips a waiter that another one takes back', () => {
    const controller = new AbortController()
    const calls: string[] = []
    onAbort(controller.signal, () => forgetSecond())
    const forgetSecond = onAbort(controller.signal, () => calls.push('second'))
    onAbort(controller.signal, () => calls.push('third'))
    controller.abort()
    expect(calls).toEqual(['third'])
  })

  test('leaves no listener behind after the abort', () => {
    const controller = new AbortController()
    onAbort(controller.signal, () => {})
    controller.abort()
    expect(listenersOf(controller.signal)).toBe(0)
  })

  test('calls the others when one throws, and raises what it threw as an uncaught exception', async () => {
    const controller = new AbortController()
    const calls: string[] = []
    onAbort(controller.signal, () => {
      throw new Error('broken waiter')
    })
    onAbort(controller.signal, () => calls.push('b'))
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    try {
      const uncaught = new Promise<Error>((resolve) => process.once('uncaughtException', resolve))
      controller.abort()
      expect(calls).toEqual(['b'])
      expect((await uncaught).message).toBe('broken waiter')
    } finally {
      for (const listener of before) process.on('uncaughtException', listener)
    }
  })
})
