import { expect, test } from 'vitest'
import { RecentlyUsed } from './recently-used.ts'

test('forgets what was not asked for the longest', () => {
  const kept = new RecentlyUsed<number>(2)
  kept.set('a', 1)
  kept.set('b', 2)
  expect(kept.get('a')).toBe(1)
  kept.set('c', 3)
  expect(kept.keys).toEqual(['a', 'c'])
  expect(kept.values).toEqual([1, 3])
  expect(kept.get('b')).toBeUndefined()
})

test('to look whether it is there is not to ask for it', () => {
  const kept = new RecentlyUsed<number>(2)
  kept.set('a', 1)
  kept.set('b', 2)
  expect(kept.has('a')).toBe(true)
  kept.set('c', 3)
  expect(kept.has('a')).toBe(false)
})

test('what is set again is new', () => {
  const kept = new RecentlyUsed<number>(2)
  kept.set('a', 1)
  kept.set('b', 2)
  kept.set('a', 3)
  kept.set('c', 4)
  expect([...kept.keys]).toEqual(['a', 'c'])
  expect(kept.get('a')).toBe(3)
})

test('says what was there when it is taken out', () => {
  const kept = new RecentlyUsed<number>(2)
  kept.set('a', 1)
  expect([kept.delete('a'), kept.delete('a'), kept.size]).toEqual([true, false, 0])
  kept.set('a', 1)
  kept.clear()
  expect(kept.size).toBe(0)
})
