import { type Deferred, deferred } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { BatchLane, portionsOf } from './batch-lane.ts'
import { SentCall } from './sent-call.ts'

interface Running {
  readonly items: readonly number[]
  readonly answer: Deferred<readonly number[]>
}

/** An item is as long as it says. */
function lane(maxItems = 10, maxBytes = 1_000): { lane: BatchLane<number, number>; calls: Running[] } {
  const calls: Running[] = []
  const run = (items: readonly number[]): Promise<readonly number[]> => {
    const answer = deferred<readonly number[]>()
    calls.push({ items, answer })
    return answer.promise
  }
  const begin = (number: number): SentCall => new SentCall('connection', 'put', number)
  return { lane: new BatchLane({ maxItems, maxBytes, sizeOf: (item) => item, begin, run }), calls }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a lane', () => {
  test('sends what is alone at once, and what comes meanwhile as one call when that is answered', async () => {
    const { lane: subject, calls } = lane()
    const first = subject.submit([1]).results
    expect(calls.map(({ items }) => items)).toEqual([[1]])
    const second = [subject.submit([2]).results, subject.submit([3, 4]).results]
    await turn()
    expect(calls.length).toBe(1)
    calls[0]?.answer.resolve([10])
    expect(await first).toEqual([10])
    await turn()
    expect(calls[1]?.items).toEqual([2, 3, 4])
    calls[1]?.answer.resolve([20, 30, 40])
    expect(await Promise.all(second)).toEqual([[20], [30, 40]])
    const third = subject.submit([5]).results
    calls[2]?.answer.reject(new Error('lost'))
    await expect(third).rejects.toThrow('lost')
  })

  test('splits between callers and never within one', async () => {
    const { lane: subject, calls } = lane(3)
    const all = Promise.all([[0], [1, 2], [3, 4], [5], [6, 7, 8, 9]].map((items) => subject.submit(items).results))
    for (let call = 0; call < 4; call++) {
      await turn()
      calls[call]?.answer.resolve(calls[call]?.items ?? [])
    }
    expect(await all).toEqual([[0], [1, 2], [3, 4], [5], [6, 7, 8, 9]])
    expect(calls.map(({ items }) => items)).toEqual([[0], [1, 2], [3, 4, 5], [6, 7, 8, 9]])
  })

  test('keeps those apart who would be late together', async () => {
    const { lane: subject, calls } = lane(10, 100)
    const all = Promise.all([[1], [60], [40, 1], [500], [99]].map((items) => subject.submit(items).results))
    for (let call = 0; call < 5; call++) {
      await turn()
      calls[call]?.answer.resolve(calls[call]?.items ?? [])
    }
    await all
    expect(calls.map(({ items }) => items)).toEqual([[1], [60], [40, 1], [500], [99]])
  })

  test('takes back what was not sent, and tells what was where it is', async () => {
    const { lane: subject, calls } = lane()
    const controller = new AbortController()
    const { signal } = controller
    const alone = subject.submit([0])
    const others = [subject.submit([1]), subject.submit([2, 3], { signal })] as const
    expect(others[1].placeOf(0)).toBeUndefined()
    calls[0]?.answer.resolve([0])
    await alone.results
    await turn()
    const waiting = subject.submit([4], { signal })
    controller.abort(new Error('no longer wanted'))
    await expect(others[1].results).rejects.toThrow('no longer wanted')
    await expect(waiting.results).rejects.toThrow('no longer wanted')
    calls[1]?.answer.resolve([1, 2, 3])
    await others[0].results
    await turn()
    expect(calls.length).toBe(2)
    expect(others[1].placeOf(1)?.index).toBe(2)
    expect(others[1].placeOf(1)?.call).toBe(others[0].placeOf(0)?.call)
    expect(waiting.placeOf(0)).toBeUndefined()
  })
})

test('what one caller wants is divided where it is too much for a call', () => {
  const portions = (...sizes: number[]): readonly (readonly number[])[] =>
    portionsOf(sizes, { maxItems: 3, sizeOf: (kilobytes) => kilobytes * 1024 })
  expect(portions()).toEqual([[]])
  expect(portions(1, 1, 1)).toEqual([[1, 1, 1]])
  expect(portions(1, 1, 1, 1)).toEqual([[1, 1, 1], [1]])
  expect(portions(5_000, 600, 600, 424, 1)).toEqual([[5_000], [600], [600, 424], [1]])
})
