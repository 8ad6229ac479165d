import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fencePrefix, heldKey, toFence } from './fence.ts'

const numbers = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const nothing = { claim: -1, message: -1 }

test('a fence gives back its key for the tag it was made for, whatever the tag', () => {
  fc.assert(
    fc.property(numbers, numbers, fc.string(), (claim, message, tag) => {
      expect(heldKey({ queue: 'q', tag, fence: toFence(fencePrefix(claim), message, tag) })).toEqual({ claim, message })
    }),
  )
})

test('a fence does not speak for another tag', () => {
  fc.assert(
    fc.property(numbers, numbers, fc.string(), fc.string(), (claim, message, tag, other) => {
      fc.pre(tag !== other)
      expect(heldKey({ queue: 'q', tag: other, fence: toFence(fencePrefix(claim), message, tag) })).toEqual(nothing)
    }),
  )
})

test('what is no fence of ours is no delivery', () => {
  const no = [7, '', '/', '.', './', '1./tag', '.1/tag', 'tag', 'x.1/tag', '1/tag', '1.5/other', 'NaN.NaN/tag']
  const unusual = [
    '9007199254740993.5/tag',
    '1.5 /tag',
    '1e3.5/tag',
    '1.0x5/tag',
    '1.1e400/tag',
    '-0.5/tag',
    ' 1.5/tag',
  ]
  for (const fence of [...no, ...unusual]) {
    expect(heldKey({ queue: 'q', tag: 'tag', fence })).toEqual(nothing)
  }
})
