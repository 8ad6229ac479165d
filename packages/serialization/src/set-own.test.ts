import fc from 'fast-check'
import { expect, test } from 'vitest'
import { setOwn } from './set-own.ts'

const names = fc.oneof(
  fc.nat(10_050).map(String),
  fc.constantFrom('__proto__', 'constructor', '', '-1', '007', '1e3', '268435456', '4294967295'),
  fc.string(),
)

test('an object has the names and values that it was given, in the order of any other', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, fc.nat())), (entries) => {
      const object: Record<string, unknown> = {}
      for (const [name, value] of entries) setOwn(object, name, value)
      expect(Object.entries(object)).toEqual(Object.entries(Object.fromEntries(entries)))
      expect(Object.getPrototypeOf(object)).toBe(Object.prototype)
    }),
  )
})

test('numbers in turn stay in turn, and those from behind find their places', () => {
  const [up, down]: Record<string, unknown>[] = [{}, {}]
  for (let index = 0; index < 3000; index++) {
    setOwn(up!, String(index), index)
    setOwn(down!, String(2999 - index), 2999 - index)
  }
  expect(Object.values(up!)).toEqual(Array.from({ length: 3000 }, (_, index) => index))
  expect(Object.values(down!)).toEqual(Object.values(up!))
})
