import { expect, test } from 'vitest'
import { deliveryTags } from './delivery-tags.ts'

test('no two tags are equal, also of two connections', () => {
  const [one, other] = [deliveryTags(), deliveryTags()]
  const tags = new Set(Array.from({ length: 1_000 }, () => [one(), other()]).flat())
  expect(tags.size).toBe(2_000)
})
