import { describe, expect, test } from 'vitest'
import { Barrier, BarrierClosedError } from './barrier.ts'
import { deferred } from './deferred.ts'

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const note = (): void => {
    settled = true
  }
  promise.then(note, note)
  await new Promise((resolve) => setImmediate(resolve))
  return settled
}

describe('Barrier', () => {
  test('waits for every part, also those added after the first have finished', async () => {
    const barrier = new Barrier()
    const [a, b] = [deferred(), deferred()]
    barrier.add(a.promise)
    a.resolve()
    expect(await settled(barrier.done)).toBe(false)
    barrier.add(b.promise)
    const done = barrier.close()
    expect(await settled(done)).toBe(false)
    expect(barrier.pending).toBe(1)
    b.resolve()
    await done
    expect(barrier.pending).toBe(0)
  })

  test('resolves at once when closed without parts, and when of size 0', async () => {
    await new Barrier().close()
    await new Barrier(0).done
  })

  test('closes by itself when it has as many parts as it was made for', async () => {
    const barrier = new Barrier(2)
    const first = barrier.part()
    expect(barrier.open).toBe(true)
    const second = barrier.part()
    expect(barrier.open).toBe(false)
    first()
    expect(await settled(barrier.done)).toBe(false)
    second()
    await barrier.done
  })

  test('takes no part after it was closed', async () => {
    const barrier = new Barrier()
    await barrier.close()
    expect(() => barrier.part()).toThrow(BarrierClosedError)
    expect(() => barrier.add(Promise.resolve())).toThrow(BarrierClosedError)
  })

  test('counts a part once however often it reports', async () => {
    const barrier = new Barrier(2)
    const [first, second] = [barrier.part(), barrier.part()]
    first()
    first()
    first(new Error('ignored'))
    expect(await settled(barrier.done)).toBe(false)
    second()
    await barrier.done
  })

  test('waits for the others when one fails, then rejects with its error', async () => {
    const barrier = new Barrier()
    const slow = deferred()
    barrier.add(Promise.reject(new Error('part failed')), slow.promise)
    const done = barrier.close()
    expect(await settled(done)).toBe(false)
    slow.resolve()
    await expect(done).rejects.toThrow('part failed')
  })

  test('rejects with all errors when several failed', async () => {
    const barrier = new Barrier()
    const [a, b] = [new Error('a'), new Error('b')]
    barrier.add(Promise.reject(a), Promise.reject(b))
    await expect(barrier.close()).rejects.toMatchObject({ errors: [a, b] })
  })

  test('does not take a rejection without a reason for success', async () => {
    const barrier = new Barrier()
    barrier.add(Promise.reject())
    await expect(barrier.close()).rejects.toThrow('without a reason')
  })
})
