import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JobEntry } from './job-entry.ts'
import { JobQueue } from './job-queue.ts'

const entry = (id: number): JobEntry => new JobEntry({ header: id, body: '', onDone() {} }, { expectedMs: 0 })
const ids = (entries: readonly JobEntry[]): unknown[] => entries.map(({ job }) => job.header)

test('behaves as an array does, whatever is done to it', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('push' as const), count: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ type: fc.constant('shift' as const), count: fc.integer({ min: 1, max: 1_500 }) }),
    fc.record({ type: fc.constant('putBack' as const), count: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ type: fc.constant('take' as const), count: fc.integer({ min: 2, max: 9 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const queue = new JobQueue()
      let model: JobEntry[] = []
      let id = 0
      for (const { type, count } of steps) {
        const fresh = Array.from({ length: type === 'push' || type === 'putBack' ? count : 0 }, () => entry(id++))
        if (type === 'push') {
          for (const one of fresh) queue.push(one)
          model.push(...fresh)
        } else if (type === 'putBack') {
          queue.putBack(fresh)
          model.unshift(...fresh)
        } else if (type === 'shift') {
          for (let i = 0; i < count; i += 1) expect(queue.shift()).toBe(model.shift())
        } else {
          const matches = ({ job }: JobEntry): boolean => (job.header as number) % count === 0
          expect(ids(queue.take(matches))).toEqual(ids(model.filter(matches)))
          model = model.filter((one) => !matches(one))
        }
        expect(queue.length).toBe(model.length)
      }
      expect(ids(queue.take(() => true))).toEqual(ids(model))
    }),
    { numRuns: 50 },
  )
})
