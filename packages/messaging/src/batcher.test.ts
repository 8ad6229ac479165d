import { type Deferred, deferred } from '@celery/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Batcher } from './batcher.ts'

/** A batcher whose batches end when told to. */
function setUp(maxBatch?: number) {
  const batches: { readonly items: readonly number[]; readonly done: Deferred<void> }[] = []
  let begun = deferred()
  const batcher = new Batcher<number>({
    ...(maxBatch === undefined ? {} : { maxBatch }),
    run: (items) => {
      const done = deferred()
      batches.push({ items, done })
      begun.resolve()
      begun = deferred()
      return done.promise
    },
  })
  const next = (): Promise<void> => begun.promise
  const items = () => batches.map((batch) => batch.items)
  return { batcher, batches, items, next }
}

describe('the batcher', () => {
  test('puts what comes in one turn of the event loop into one batch, in order', async () => {
    const { batcher, items, next } = setUp()
    const begun = next()
    batcher.add(1)
    batcher.add(2)
    await Promise.resolve()
    batcher.add(3)
    await begun
    expect(items()).toEqual([[1, 2, 3]])
  })

  test('runs one batch at a time; what comes meanwhile is the next one', async () => {
    const { batcher, batches, items, next } = setUp()
    const first = next()
    batcher.add(1)
    await first
    const second = next()
    batcher.add(2)
    await new Promise((resolve) => setImmediate(resolve))
    batcher.add(3)
    expect(items()).toEqual([[1]])
    batches[0]!.done.resolve()
    await second
    expect(items()).toEqual([[1], [2, 3]])
  })

  test('takes no more than maxBatch at once and leaves the rest for the next ones', async () => {
    const seen: (readonly number[])[] = []
    const batcher = new Batcher<number>({ maxBatch: 2, run: async (items) => void seen.push(items) })
    for (const item of [1, 2, 3, 4, 5]) batcher.add(item)
    await batcher.idle()
    expect(seen).toEqual([[1, 2], [3, 4], [5]])
  })

  test('counts what waits and what is under way', async () => {
    const { batcher, batches, next } = setUp(2)
    expect(batcher.pending).toBe(0)
    const first = next()
    for (const item of [1, 2, 3]) batcher.add(item)
    expect(batcher.pending).toBe(3)
    await first
    expect(batcher.pending).toBe(3)
    const second = next()
    batches[0]!.done.resolve()
    await second
    expect(batcher.pending).toBe(1)
    batches[1]!.done.resolve()
    await batcher.idle()
    expect(batcher.pending).toBe(0)
  })

  test('is idle only when what was added while it ran is done too', async () => {
    const seen: number[] = []
    const batcher: Batcher<number> = new Batcher<number>({
      run: async ([item]) => {
        seen.push(item!)
        if (item! < 3) batcher.add(item! + 1)
      },
    })
    batcher.add(1)
    await batcher.idle()
    expect(seen).toEqual([1, 2, 3])
    batcher.add(9)
    await batcher.idle()
    expect(seen).toEqual([1, 2, 3, 9])
  })

  test('is idle at once where nothing was added', async () => {
    const { batcher, batches } = setUp()
    await batcher.idle()
    expect(batches).toEqual([])
  })

  test('waits for what `gather` says before each batch', async () => {
    const seen: (readonly number[])[] = []
    const gates = [deferred(), deferred()]
    let asked = 0
    const batcher = new Batcher<number>({
      run: async (items) => void seen.push(items),
      gather: () => gates[asked++]!.promise,
    })
    batcher.add(1)
    await new Promise((resolve) => setImmediate(resolve))
    batcher.add(2)
    expect(seen).toEqual([])
    gates[0]!.resolve()
    await batcher.idle()
    expect(seen).toEqual([[1, 2]])
    expect(asked).toBe(1)
  })
})

describe('a batcher that lingers', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
  afterEach(() => void vi.useRealTimers())

  /** A batcher that lingers four times as long as a batch took, and has had one of `ms` milliseconds. */
  async function afterBatchOf(ms: number, size = 2) {
    const seen: (readonly number[])[] = []
    const batcher = new Batcher<number>({
      linger: 4,
      enough: 3,
      run: async (items) => {
        seen.push(items)
        vi.advanceTimersByTime(ms)
      },
    })
    for (let item = 0; item < size; item++) batcher.add(item)
    await batcher.idle()
    seen.length = 0
    return { batcher, seen }
  }

  test('lets a lone item leave at once', async () => {
    const { batcher, seen } = await afterBatchOf(1)
    vi.advanceTimersByTime(4)
    batcher.add(1)
    await batcher.idle()
    expect(seen).toEqual([[1]])
  })

  test('waits for nothing after a batch of one, however long that took', async () => {
    const { batcher, seen } = await afterBatchOf(60_000, 1)
    batcher.add(1)
    await batcher.idle()
    batcher.add(2)
    await batcher.idle()
    expect(seen).toEqual([[1], [2]])
  })

  test('waits for more after a batch, in proportion to what that one took', async () => {
    const { batcher, seen } = await afterBatchOf(1)
    batcher.add(1)
    await turns()
    vi.advanceTimersByTime(3)
    batcher.add(2)
    await turns()
    expect(seen).toEqual([])
    vi.advanceTimersByTime(1)
    await batcher.idle()
    expect(seen).toEqual([[1, 2]])
  })

  test('waits no longer once there is enough', async () => {
    const { batcher, seen } = await afterBatchOf(1)
    batcher.add(1)
    await turns()
    batcher.add(2)
    batcher.add(3)
    await batcher.idle()
    expect(seen).toEqual([[1, 2, 3]])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('waits no longer than 10 ms, however long a batch took', async () => {
    const { batcher, seen } = await afterBatchOf(60_000)
    batcher.add(1)
    await turns()
    vi.advanceTimersByTime(10)
    await batcher.idle()
    expect(seen).toEqual([[1]])
  })

  test('tells when a batch leaves, before it does', async () => {
    const events: string[] = []
    const batcher = new Batcher<number>({
      run: async (items) => void events.push(`run ${items}`),
      onLeave: () => events.push('leave'),
    })
    batcher.add(1)
    await batcher.idle()
    batcher.add(2)
    await batcher.idle()
    expect(events).toEqual(['leave', 'run 1', 'leave', 'run 2'])
  })
})

async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}
