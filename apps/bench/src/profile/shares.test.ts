import { expect, test } from 'vitest'
import { sharesOf } from './shares.ts'

const frame = (functionName: string, url: string) => ({
  functionName,
  url,
  scriptId: '0',
  lineNumber: 0,
  columnNumber: 0,
})

/** 1 is the root, 2 idle, 3 decoding, 4 the task, called by 3. */
const nodes = [
  { id: 1, callFrame: frame('(root)', ''), children: [2, 3] },
  { id: 2, callFrame: frame('(idle)', '') },
  { id: 3, callFrame: frame('decode', 'file:///packages/protocol/dist/a.js'), children: [4] },
  { id: 4, callFrame: frame('noop', 'file:///apps/bench/dist/tasks.js') },
]

test('each sample counts until the next one, within the stretch, and idle time does not', () => {
  // Seen at 110, 120, 150, 190 and 200: decoding lasted 30, the task 40; idleness counts for nothing.
  const profile = { nodes, startTime: 100, endTime: 200, samples: [2, 3, 4, 2, 3], timeDeltas: [10, 10, 30, 40, 10] }
  const shares = sharesOf([profile], { from: 0, to: 1_000 })
  expect(shares.decode).toBeCloseTo((30 / 70) * 100)
  expect(shares.run).toBeCloseTo((40 / 70) * 100)
  expect(Object.values(shares).reduce((sum, share) => sum + share, 0)).toBeCloseTo(100)
  expect(sharesOf([profile], { from: 145, to: 160 }).run).toBe(100)
})

test('the threads of all processes count together', () => {
  const decoding = { nodes, startTime: 0, endTime: 40, samples: [3, 3, 2], timeDeltas: [10, 10, 20] }
  const running = { nodes, startTime: 0, endTime: 40, samples: [4, 2], timeDeltas: [10, 10] }
  const shares = sharesOf([decoding, running], { from: 0, to: 100 })
  expect([shares.decode, shares.run]).toEqual([75, 25])
})

test('a stretch in which nobody was busy has no shares', () => {
  const profile = { nodes, startTime: 0, endTime: 20, samples: [2, 2], timeDeltas: [10, 10] }
  expect(() => sharesOf([profile], { from: 0, to: 20 })).toThrow(RangeError)
})
