import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { anySignal } from './any-signal.ts'

describe('anySignal', () => {
  test('aborts with the reason of whichever source aborts first', () => {
    const [a, b] = [new AbortController(), new AbortController()]
    using joined = anySignal(a.signal, undefined, b.signal)
    expect(joined.signal.aborted).toBe(false)
    b.abort('b')
    a.abort('a')
    expect(joined.signal.reason).toBe('b')
  })

  test('is aborted from the start when a source is, and listens to none', () => {
    const open = new AbortController()
    using joined = anySignal(open.signal, AbortSignal.abort('gone'))
    expect(joined.signal.reason).toBe('gone')
    expect(getEventListeners(open.signal, 'abort')).toHaveLength(0)
  })

  test('leaves the sources as they were when its scope ends', () => {
    const source = new AbortController()
    let signal: AbortSignal
    {
      using joined = anySignal(source.signal)
      signal = joined.signal
      expect(getEventListeners(source.signal, 'abort')).toHaveLength(1)
    }
    expect(getEventListeners(source.signal, 'abort')).toHaveLength(0)
    source.abort()
    expect(signal.aborted).toBe(false)
  })

  test('stops listening to the other sources once one has aborted', () => {
    const [a, b] = [new AbortController(), new AbortController()]
    using _joined = anySignal(a.signal, b.signal)
    a.abort()
    expect(getEventListeners(b.signal, 'abort')).toHaveLength(0)
  })
})
