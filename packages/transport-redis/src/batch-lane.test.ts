import { type Deferred, deferred } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { BatchLane } from './batch-lane.ts'
import { SentCall } from './sent-call.ts'

interface Running {
  readonly items: readonly number[]
  readonly answer: Deferred<readonly number[]>
}

function lane(maxItems = 10): { lane: BatchLane<number, number>; calls: Running[] } {
  const calls: Running[] = []
  const run = (items: readonly number[]): Promise<readonly number[]> => {
    const answer = deferred<readonly number[]>()
    calls.push({ items, answer })
    return answer.promise
  }
  const begin = (number: number): SentCall => new SentCall('connection', 'put', number)
  return { lane: new BatchLane({ maxItems, begin, run }), calls }
}

const ignore = (): void => {}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a lane', () => {
  test('sends what one turn submits as one call, and the next when that is answered', async () => {
    const { lane: subject, calls } = lane()
    const first = [subject.submit([1], ignore), subject.submit([2, 3], ignore)]
    await turn()
    const second = subject.submit([4], ignore)
    await turn()
    expect(calls.map(({ items }) => items)).toEqual([[1, 2, 3]])
    calls[0]?.answer.resolve([10, 20, 30])
    expect(await Promise.all(first)).toEqual([[10], [20, 30]])
    await turn()
    expect(calls[1]?.items).toEqual([4])
    calls[1]?.answer.reject(new Error('lost'))
    await expect(second).rejects.toThrow('lost')
  })

  test('splits between callers and never within one', async () => {
    const { lane: subject, calls } = lane(3)
    const all = Promise.all([[1, 2], [3, 4], [5], [6, 7, 8, 9]].map((items) => subject.submit(items, ignore)))
    for (let call = 0; call < 3; call++) {
      await turn()
      calls[call]?.answer.resolve(calls[call]?.items ?? [])
    }
    expect(await all).toEqual([[1, 2], [3, 4], [5], [6, 7, 8, 9]])
    expect(calls.map(({ items }) => items)).toEqual([
      [1, 2],
      [3, 4, 5],
      [6, 7, 8, 9],
    ])
  })

  test('takes back what was not sent, and tells what was where it is', async () => {
    const { lane: subject, calls } = lane()
    const controller = new AbortController()
    const sent: number[] = []
    const first = subject.submit([1], ignore)
    const place = subject.submit([2], (_, at) => sent.push(at), { signal: controller.signal })
    await turn()
    const waiting = subject.submit([3], ignore, { signal: controller.signal })
    controller.abort(new Error('no longer wanted'))
    await expect(place).rejects.toThrow('no longer wanted')
    await expect(waiting).rejects.toThrow('no longer wanted')
    calls[0]?.answer.resolve([1, 2])
    await first
    await turn()
    expect(calls.length).toBe(1)
    expect(sent).toEqual([1])
  })
})
