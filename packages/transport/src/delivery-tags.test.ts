import { expect, test } from 'vitest'
import { deliveryTags } from './delivery-tags.ts'

test('no two tags are equal, also of two connections', () => {
  const [one, other] = [deliveryTags(), deliveryTags()]
  const tags = new Set(Array.from({ length: 1_000 }, () => [one(), other()]).flat())
  expect(tags.size).toBe(2_000)
})

test('tags of one maker are in alphabetical order', () => {
  const next = deliveryTags()
  const tags = Array.from({ length: 2_000 }, next)
  expect([...tags].sort()).toEqual(tags)
})
