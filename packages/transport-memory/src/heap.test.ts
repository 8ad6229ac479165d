import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap } from './heap.ts'

test('a heap gives what was pushed in order, however pushes and pops alternate', () => {
  const steps = fc.array(fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constant('pop' as const)), { maxLength: 200 })
  fc.assert(
    fc.property(steps, (commands) => {
      const heap = new Heap<number>((a, b) => a < b)
      const model: number[] = []
      for (const command of commands) {
        if (command === 'pop') {
          expect(heap.peek()).toBe(model[0])
          expect(heap.pop()).toBe(model.shift())
        } else {
          heap.push(command)
          model.push(command)
          model.sort((a, b) => a - b)
        }
        expect(heap.size).toBe(model.length)
      }
    }),
  )
})

test('an empty heap gives nothing', () => {
  const heap = new Heap<number>((a, b) => a < b)
  heap.push(1)
  heap.clear()
  expect([heap.size, heap.peek(), heap.pop()]).toEqual([0, undefined, undefined])
})
