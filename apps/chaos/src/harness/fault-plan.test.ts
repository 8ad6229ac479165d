import { expect, test } from 'vitest'
import { planFaults } from './fault-plan.ts'

const shares = [
  ['child', 0.4],
  ['worker', 0.2],
  ['client', 0.2],
  ['pause', 0.2],
] as const
const options = { faults: 200, shares, tasks: 20_000, backlog: 128 }

test('plans the same faults for the same seed, and others for another', () => {
  expect(planFaults(1, options)).toEqual(planFaults(1, options))
  expect(planFaults(1, options)).not.toEqual(planFaults(2, options))
})

test('plans as many faults as asked for, of each kind its share', () => {
  const counts = new Map<string, number>()
  for (const { kind } of planFaults(3, options)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  expect(Object.fromEntries(counts)).toEqual({ child: 80, worker: 40, client: 40, pause: 40 })
  for (const faults of [0, 1, 7, 25]) expect(planFaults(3, { ...options, faults })).toHaveLength(faults)
})

test('plans more where the shares are more than all', () => {
  const more = planFaults(3, { ...options, faults: 20, shares: [...shares, ['broker', 0.1]] })
  expect(more).toHaveLength(22)
  expect(more.filter(({ kind }) => kind === 'broker')).toHaveLength(2)
})

test('leaves the beginning calm and the end to those that were hit', () => {
  const moments = planFaults(4, options).map(({ afterTasks }) => afterTasks)
  expect(moments).toEqual([...moments].sort((a, b) => a - b))
  expect(moments[0]).toBeGreaterThanOrEqual(2_000)
  expect(moments.at(-1)).toBeLessThanOrEqual(20_000 - 256)
})
