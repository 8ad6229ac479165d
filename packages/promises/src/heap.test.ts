import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap, type HeapNode } from './heap.ts'

interface Node extends HeapNode {
  readonly key: number
}

test('gives the smallest first, after any were taken out from the middle', () => {
  // As long as allowed: a hole that has to be filled from another branch takes some depth.
  const keys = fc.array(fc.nat(1000), { maxLength: 60, size: 'max' })
  const removals = fc.array(fc.nat(59), { maxLength: 30, size: 'max' })
  fc.assert(
    fc.property(keys, removals, (keys, removals) => {
      const heap = new Heap<Node>((a, b) => a.key < b.key)
      const nodes = keys.map((key): Node => ({ key, index: -1 }))
      for (const node of nodes) heap.add(node)
      const left = new Set(nodes)
      for (const nth of removals) {
        const node = nodes[nth]
        if (node !== undefined) expect(heap.remove(node)).toBe(left.delete(node))
      }
      expect(heap.size).toBe(left.size)

      const drained: number[] = []
      for (let node = heap.first; node !== undefined; node = heap.first) {
        drained.push(node.key)
        heap.remove(node)
      }
      expect(drained).toEqual([...left].map(({ key }) => key).sort((a, b) => a - b))
    }),
    { numRuns: 200 },
  )
})

test('forgets every node when cleared', () => {
  const heap = new Heap<Node>((a, b) => a.key < b.key)
  const node: Node = { key: 1, index: -1 }
  heap.add(node)
  heap.clear()
  expect(heap.remove(node)).toBe(false)
  expect(heap.first).toBeUndefined()
})
