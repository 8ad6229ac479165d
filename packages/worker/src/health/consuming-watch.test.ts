import { expect, test } from 'vitest'
import { ConsumingWatch } from './consuming-watch.ts'

function setUp() {
  const clock = { now: 5_000 }
  return { clock, watch: new ConsumingWatch(() => clock.now) }
}

test('P-12 before it begins nothing is consumed', () => {
  const { watch } = setUp()
  expect(watch.problem()).toBe('nothing is consumed')
  watch.consuming(true)
  expect(watch.problem()).toBeUndefined()
})

test('P-12 a lost broker is told at once, with what was said last and for how long, until another connection has lasted a second', () => {
  const { clock, watch } = setUp()
  watch.consuming(true)
  watch.failed('connection to redis://broker was lost')
  clock.now += 4_000
  watch.connectionFailed('connection to redis://broker was refused')
  expect(watch.problem()).toBe('nothing is consumed for 4 s: connection to redis://broker was refused')
  expect(watch.losses).toBe(1)
  watch.consuming(true)
  clock.now += 999
  expect(watch.problem()).toBe('nothing is consumed for 5 s: connection to redis://broker was refused')
  clock.now += 1
  expect(watch.problem()).toBeUndefined()
})

test('P-12 one more try on a connection that failed is no recovery, but ten quiet seconds are', () => {
  const { clock, watch } = setUp()
  watch.consuming(true)
  watch.failed('the file is locked')
  clock.now += 1_000
  watch.consuming(false)
  clock.now += 5_000
  expect(watch.problem()).toBe('nothing is consumed for 6 s: the file is locked')
  watch.failed('the file is locked')
  watch.consuming(false)
  clock.now += 9_999
  expect(watch.problem()).toBe('nothing is consumed for 16 s: the file is locked')
  clock.now += 1
  expect(watch.problem()).toBeUndefined()
})

test('P-12 a broker that was away at the start is back when its first connection has lasted a second', () => {
  const { clock, watch } = setUp()
  watch.connectionFailed('connection to redis://broker was refused')
  clock.now += 5_000
  watch.consuming(false)
  clock.now += 999
  expect(watch.problem()).toBe('nothing is consumed for 6 s: connection to redis://broker was refused')
  clock.now += 1
  expect(watch.problem()).toBeUndefined()
})

test('a message is a recovery too', () => {
  const { watch } = setUp()
  watch.consuming(true)
  watch.failed('the file is locked')
  watch.consuming(false)
  watch.taken()
  expect(watch.problem()).toBeUndefined()
})

test('P-12 messages that come after a failure show that it consumes, whether or not it was told to begin again', () => {
  const { clock, watch } = setUp()
  watch.consuming(true)
  watch.failed('the file is locked')
  watch.taken()
  expect(watch.problem()).toBeUndefined()
  clock.now += 3_000
  expect(watch.idleMs).toBe(3_000)
})

test('what fails on another connection while messages come is no trouble', () => {
  const { watch } = setUp()
  watch.consuming(true)
  watch.connectionFailed('the old connection did not close')
  expect(watch.problem()).toBeUndefined()
  expect(watch.trouble).toBeUndefined()
})

test('counts the time for which nothing came though it was asked for', () => {
  const { clock, watch } = setUp()
  expect(watch.idleMs).toBe(0)
  watch.consuming(true)
  clock.now += 3_000
  expect(watch.idleMs).toBe(3_000)
  watch.taken()
  clock.now += 500
  expect(watch.idleMs).toBe(500)
  watch.failed('lost')
  clock.now += 500
  expect(watch.idleMs).toBe(0)
})
