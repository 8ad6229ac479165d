import { deferred } from '@celery/promises'
import { expect, test } from 'vitest'
import { Signal, type SignalEvent } from './signal.ts'

interface Numbered extends SignalEvent {
  readonly n: number
}

function setUp() {
  const errors: unknown[] = []
  const log: string[] = []
  const signal = new Signal<Numbered>('numbered', { onError: (name, error) => void errors.push([name, error]) })
  const note = (who: string) => (event: Numbered) => void log.push(`${who} ${event.sender} ${event.n}`)
  return { errors, log, note, signal }
}

test('tells everybody in their order, and gives no promise where nobody wants to be waited for', () => {
  const { log, note, signal } = setUp()
  expect(signal.hasListeners).toBe(false)
  expect(signal.send({ sender: 'x', n: 0 })).toBeUndefined()
  signal.connect(note('a'))
  signal.connect(note('b'))
  expect(signal.hasListeners).toBe(true)
  expect(signal.send({ sender: 'x', n: 1 })).toBeUndefined()
  expect(log).toEqual(['a x 1', 'b x 1'])
})

test('waits for an asynchronous receiver before it tells the next', async () => {
  const { log, note, signal } = setUp()
  const gate = deferred()
  signal.connect(async () => {
    await gate.promise
    log.push('waited')
  })
  signal.connect(note('b'))
  const sent = signal.send({ sender: 'x', n: 1 })
  expect(log).toEqual([])
  gate.resolve()
  await sent
  expect(log).toEqual(['waited', 'b x 1'])
})

test('what a receiver throws is reported, and the next one is told all the same', async () => {
  const { errors, log, note, signal } = setUp()
  const [now, later] = [new Error('now'), new Error('later')]
  signal.connect(() => {
    throw now
  })
  signal.connect(() => Promise.reject(later))
  signal.connect(note('last'))
  await signal.send({ sender: 'x', n: 1 })
  expect(log).toEqual(['last x 1'])
  expect(errors).toEqual([
    ['numbered', now],
    ['numbered', later],
  ])
})

test('a receiver may want one sender only', () => {
  const { log, note, signal } = setUp()
  signal.connect(note('a'), { sender: 'y' })
  void signal.send({ sender: 'x', n: 1 })
  void signal.send({ sender: 'y', n: 2 })
  expect(log).toEqual(['a y 2'])
})

test('the same receiver counts once, and one of the same name replaces the other', () => {
  const { log, note, signal } = setUp()
  const receiver = note('a')
  signal.connect(receiver)
  signal.connect(receiver)
  signal.connect(receiver, { sender: 'y' })
  signal.connect(note('old'), { uid: 'named' })
  signal.connect(note('new'), { uid: 'named' })
  expect(signal.receivers).toHaveLength(3)
  void signal.send({ sender: 'x', n: 1 })
  expect(log).toEqual(['a x 1', 'new x 1'])
})

test('is left by the receiver, by its name, or by what connecting gave', () => {
  const { log, note, signal } = setUp()
  const receiver = note('a')
  signal.connect(receiver)
  signal.connect(note('b'), { uid: 'b' })
  const leave = signal.connect(note('c'))
  expect([signal.disconnect(receiver), signal.disconnect(receiver), signal.disconnect('b')]).toEqual([
    true,
    false,
    true,
  ])
  leave()
  leave()
  void signal.send({ sender: 'x', n: 1 })
  expect(log).toEqual([])
  expect(signal.hasListeners).toBe(false)
})

test('one that leaves while the others are told does not make them miss it', () => {
  const { log, note, signal } = setUp()
  const leave = signal.connect(() => leave())
  signal.connect(note('b'))
  void signal.send({ sender: 'x', n: 1 })
  expect(log).toEqual(['b x 1'])
})

test('what cannot be called is refused when it is connected', () => {
  const { signal } = setUp()
  expect(() => signal.connect('log' as never)).toThrow(new TypeError('numbered.connect() takes a function, not string'))
  expect(signal.hasListeners).toBe(false)
})
