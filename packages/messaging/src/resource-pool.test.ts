import { deferred, ManualClock } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { LimitExceededError, ResourcePool, ResourcePoolClosedError, type ResourcePoolOptions } from './resource-pool.ts'

/** A pool of numbers, and which of them were made and closed. */
function setUp(options: Partial<ResourcePoolOptions<{ readonly id: number }>> = {}) {
  const closed: number[] = []
  let made = 0
  const pool = new ResourcePool({
    limit: 2,
    open: () => ({ id: ++made }),
    close: async ({ id }) => void closed.push(id),
    ...options,
  })
  return { closed, made: () => made, pool }
}

/** What has come of a promise by now. */
async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'settled'> {
  await new Promise((resolve) => setImmediate(resolve))
  const pending = Symbol('pending')
  return (await Promise.race([promise.catch(() => undefined), Promise.resolve(pending)])) === pending
    ? 'pending'
    : 'settled'
}

describe('MSG-015 a pool', () => {
  test('makes what is needed, no more than its limit, and uses again what was given back last', async () => {
    const { made, pool } = setUp()
    expect([pool.limit, pool.size]).toEqual([2, 0])
    const [first, second] = [await pool.acquire(), await pool.acquire()]
    expect([first.resource.id, second.resource.id]).toEqual([1, 2])
    await first.release()
    await second.release()
    await second.release()
    expect([pool.size, pool.free]).toEqual([2, 2])
    expect((await pool.acquire()).resource.id).toBe(2)
    expect(made()).toBe(2)
  })

  test('has 10 where nobody says, and no limit where that is asked for', async () => {
    expect(new ResourcePool({ open: () => ({}), close: async () => {} }).limit).toBe(10)
    const { pool } = setUp({ limit: null })
    for (let count = 0; count < 100; count++) await pool.acquire()
    expect([pool.limit, pool.size]).toEqual([null, 100])
    for (const limit of [0, -1, 1.5, Number.NaN]) expect(() => setUp({ limit })).toThrow(RangeError)
  })

  test('serves who waits in turn, and nobody before them', async () => {
    const { pool } = setUp({ limit: 1 })
    const order: string[] = []
    const held = await pool.acquire()
    const waiting = ['a', 'b', 'c'].map(async (name) => {
      await using _ = await pool.acquire()
      order.push(name)
    })
    expect(await stateOf(waiting[0] as Promise<void>)).toBe('pending')
    const released = held.release()
    const late = pool.use(() => void order.push('late'))
    await Promise.all([released, ...waiting, late])
    expect(order).toEqual(['a', 'b', 'c', 'late'])
    expect([pool.size, pool.free]).toEqual([1, 1])
  })

  test('does not wait where that is not wanted', async () => {
    const { pool } = setUp({ limit: 1 })
    const held = await pool.acquire({ block: false })
    const refused = pool.acquire({ block: false })
    await expect(refused).rejects.toBeInstanceOf(LimitExceededError)
    await expect(refused).rejects.toMatchObject({ code: 'ERR_CELERY_LIMIT_EXCEEDED', limit: 1 })
    await held.release()
    expect((await pool.acquire({ block: false })).resource.id).toBe(1)
  })

  test('waits for so long, in seconds', async () => {
    const clock = new ManualClock()
    const { pool } = setUp({ limit: 1, clock })
    const held = await pool.acquire()
    const waiting = pool.acquire({ timeout: 2 })
    waiting.catch(() => {})
    await clock.advanceAsync(1_999)
    expect(await stateOf(waiting)).toBe('pending')
    await clock.advanceAsync(1)
    await expect(waiting).rejects.toThrow('were in use for 2 s')
    // Nothing was promised to whom has gone, and no timer is left of one who got something.
    const next = pool.acquire({ timeout: 5 })
    await held.release()
    expect((await next).resource.id).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('ends a wait with the reason of its signal, unless something was granted before', async () => {
    const { pool } = setUp({ limit: 1 })
    const held = await pool.acquire()
    const abort = new AbortController()
    const waiting = pool.acquire({ signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(pool.acquire({ signal: abort.signal })).rejects.toThrow('enough')

    const late = new AbortController()
    const granted = pool.acquire({ signal: late.signal })
    const released = held.release()
    late.abort(new Error('too late'))
    const lease = await granted
    await Promise.all([released, lease.release()])
    expect([pool.size, pool.free]).toEqual([1, 1])
  })

  test('makes another one in the place of one that is no good', async () => {
    const { closed, pool } = setUp({ limit: 1 })
    const bad = await pool.acquire()
    const waiting = pool.acquire()
    await bad.discard()
    await bad.release()
    expect(closed).toEqual([1])
    expect((await waiting).resource.id).toBe(2)
    expect(pool.size).toBe(1)
  })

  test('that cannot make one says so to who asked, and lets the next one try', async () => {
    let opened = 0
    const open = async () => {
      if (++opened === 1) throw new Error('no luck')
      return { id: opened }
    }
    const { pool } = setUp({ limit: 1, open })
    const [first, second] = [pool.acquire(), pool.acquire()]
    await expect(first).rejects.toThrow('no luck')
    expect((await second).resource.id).toBe(2)
    expect([pool.size, pool.free]).toEqual([1, 0])
  })

  test('gives back what was used when its user throws', async () => {
    const { pool } = setUp({ limit: 1 })
    await expect(pool.use(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(await pool.use(({ id }) => id)).toBe(1)
  })

  test('grows and shrinks: what is free at once, what is in use when it is given back', async () => {
    const { closed, pool } = setUp({ limit: 1 })
    const one = await pool.acquire()
    const waiting = [pool.acquire(), pool.acquire()]
    await pool.resize(3)
    const [two, three] = await Promise.all(waiting)
    await one.release()
    await pool.resize(1)
    expect([closed, pool.size]).toEqual([[1], 2])
    await two?.release()
    expect([closed, pool.size]).toEqual([[1, 2], 1])
    await three?.release()
    expect([closed, pool.size, pool.free]).toEqual([[1, 2], 1, 1])
    await expect(pool.resize(0)).rejects.toThrow(RangeError)
  })

  test('that is closed closes all, those in use too, and refuses who waits or comes', async () => {
    const { closed, pool } = setUp()
    const [used, free] = [await pool.acquire(), await pool.acquire()]
    await free.release()
    await pool.acquire()
    const waiting = pool.acquire()
    const refused = expect(waiting).rejects.toBeInstanceOf(ResourcePoolClosedError)
    await pool.close()
    await pool.close()
    await refused
    expect(closed.sort()).toEqual([1, 2])
    await used.release()
    expect([closed.length, pool.size, pool.free]).toEqual([2, 0, 0])
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ERR_CELERY_RESOURCE_POOL_CLOSED' })
  })

  test('is closed when all are closed, whoever asks', async () => {
    const closing = deferred()
    const { pool } = setUp({ close: () => closing.promise })
    await pool.acquire()
    const closes = [pool.close(), pool.close()]
    expect(await Promise.all(closes.map(stateOf))).toEqual(['pending', 'pending'])
    closing.resolve()
    await Promise.all(closes)
    expect(pool.size).toBe(0)
  })

  test('closes what was being made when it was closed', async () => {
    const made = deferred<{ readonly id: number }>()
    const { closed, pool } = setUp({ open: () => made.promise })
    const acquiring = pool.acquire()
    await pool.close()
    made.resolve({ id: 9 })
    await expect(acquiring).rejects.toBeInstanceOf(ResourcePoolClosedError)
    expect([closed, pool.size]).toEqual([[9], 0])
  })

  test('tells of one that cannot be closed, and goes on', async () => {
    const errors: string[] = []
    const { pool } = setUp({
      limit: 1,
      close: () => Promise.reject(new Error('stuck')),
      onError: (error) => void errors.push(error.message),
    })
    await (await pool.acquire()).discard()
    expect(errors).toEqual(['stuck'])
    expect((await pool.acquire()).resource.id).toBe(2)
  })

  test('has room for another one also where it cannot tell of that', async () => {
    const { pool } = setUp({
      limit: 1,
      close: () => Promise.reject(new Error('stuck')),
      onError: (error) => {
        throw error
      },
    })
    await expect((await pool.acquire()).discard()).rejects.toThrow('stuck')
    expect((await pool.acquire({ block: false })).resource.id).toBe(2)
  })
})
