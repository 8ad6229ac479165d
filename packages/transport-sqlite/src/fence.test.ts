import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deliveryNumber, toFence } from './fence.ts'

const numbers = fc.nat({ max: Number.MAX_SAFE_INTEGER })

test('a fence gives back its number for the tag it was made for, whatever the tag', () => {
  fc.assert(
    fc.property(numbers, fc.string(), (number, tag) => {
      expect(deliveryNumber({ queue: 'q', tag, fence: toFence(number, tag) })).toBe(number)
    }),
  )
})

test('a fence does not speak for another tag', () => {
  fc.assert(
    fc.property(numbers, fc.string(), fc.string(), (number, tag, other) => {
      fc.pre(tag !== other)
      expect(deliveryNumber({ queue: 'q', tag: other, fence: toFence(number, tag) })).toBe(-1)
    }),
  )
})

test('what is no fence of ours is no delivery', () => {
  for (const fence of [7, '', '/', '/tag', 'tag', 'x/tag', '1e400/tag', '1.5/tag']) {
    expect(deliveryNumber({ queue: 'q', tag: 'tag', fence })).toBe(-1)
  }
})
