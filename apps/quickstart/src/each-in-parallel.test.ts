import { expect, test } from 'vitest'
import { eachInParallel } from './each-in-parallel.ts'

const items = Array.from({ length: 100 }, (_, index) => index)
const { signal } = new AbortController()

test('does all of it, in order, and never more than so many at a time', async () => {
  const begun: number[] = []
  let running = 0
  let most = 0
  await eachInParallel(items, { width: 7, signal }, async (item) => {
    begun.push(item)
    most = Math.max(most, ++running)
    await new Promise((resolve) => setImmediate(resolve))
    running--
  })
  expect(begun).toEqual(items)
  expect(most).toBe(7)
})

test('the first failure ends the others and is passed on once they have ended', async () => {
  let ended = 0
  const run = eachInParallel(items, { width: 3, signal }, async (item, aborted) => {
    if (item === 0) throw new Error('no more')
    await new Promise((resolve) => aborted.addEventListener('abort', resolve))
    ended++
  })
  await expect(run).rejects.toThrow('no more')
  expect(ended).toBe(2)
})

test('begins nothing once aborted', async () => {
  const controller = new AbortController()
  let begun = 0
  const run = eachInParallel(items, { width: 3, signal: controller.signal }, async () => {
    if (++begun === 3) controller.abort(new Error('interrupted'))
  })
  await expect(run).rejects.toThrow('interrupted')
  expect(begun).toBe(3)
})
