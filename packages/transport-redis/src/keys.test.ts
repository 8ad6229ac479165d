import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Keys, makeTag, parseTag, shortestTag } from './keys.ts'

const names = { separator: '\x06\x16', unackedKey: 'unacked', unackedIndexKey: 'index', unackedMutexKey: 'mutex' }
const keys = new Keys({ ...names, prefix: 'p:', prioritySteps: [0, 3, 6, 9] })

describe('a tag', () => {
  test('says what it was made of, whatever the queue is called, and is long enough', () => {
    const session = fc.stringMatching(/^[A-Za-z0-9-]{1,40}$/)
    const queue = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed())
    fc.assert(
      fc.property(session, fc.maxSafeNat(), fc.integer({ min: 0, max: 9 }), queue, (id, count, step, name) => {
        const parts = { session: id, count, step, queue: name }
        const tag = makeTag(parts)
        expect(parseTag(tag)).toEqual(parts)
        expect(Buffer.byteLength(tag)).toBeGreaterThanOrEqual(shortestTag)
      }),
    )
  })

  test.each(['', 'a', '6b42cf44-2a86-4c5e-9d2e-6a1ef0f5ad3b', 'a.1.0', 'a.x.0@q', 'a.1.10@q'])(
    'of another maker is none: %j',
    (tag) => {
      expect(parseTag(tag)).toBeUndefined()
    },
  )
})

test('a message goes to the list of the greatest step up to its priority, and dead letters to one', () => {
  const steps = [0, 1, 2, 3, 5, 6, 8, 9].map((priority) => keys.step('q', priority))
  expect(steps).toEqual([0, 0, 0, 3, 3, 6, 6, 9])
  expect(keys.lists('q')).toEqual(['p:q', 'p:q\x06\x163', 'p:q\x06\x166', 'p:q\x06\x169'])
  expect(keys.step('q.dead', 9)).toBe(0)
})
