import { expect, test } from 'vitest'
import { runSuite } from './run-suite.ts'
import type { ContestantEntry, Readings } from './suite.ts'

const options = { runs: 2, tasks: 1, roundTrips: 1, folder: '', log: () => {} }

/** Contestants that write down what is asked of them. */
function recorded(log: string[], run: (name: string) => Readings = () => ({ rate: 1 })) {
  return (name: string): ContestantEntry => ({
    name,
    create: () => ({
      name,
      prepare: async () => void log.push(`prepare ${name}`),
      run: async () => {
        log.push(`run ${name}`)
        return run(name)
      },
      dispose: async () => void log.push(`dispose ${name}`),
    }),
  })
}

test('contestants take turns within each run', async () => {
  const log: string[] = []
  let rate = 0
  const entry = recorded(log, () => ({ rate: ++rate }))
  const { load, rounds } = await runSuite([entry('a'), entry('b')], options)
  expect(log).toEqual([
    ...['prepare a', 'prepare b'],
    ...['run a', 'run b', 'run a', 'run b'],
    ...['dispose a', 'dispose b'],
  ])
  expect(Object.fromEntries(rounds)).toEqual({ a: [{ rate: 1 }, { rate: 3 }], b: [{ rate: 2 }, { rate: 4 }] })
  expect(load).toHaveLength(2)
})

test('all are ended when one of them fails', async () => {
  const log: string[] = []
  const entry = recorded(log, (name) => {
    if (name === 'b') throw new Error('b is broken')
    return { rate: 1 }
  })
  await expect(runSuite([entry('a'), entry('b'), entry('c')], options)).rejects.toThrow('b is broken')
  expect(log.slice(-3)).toEqual(['dispose a', 'dispose b', 'dispose c'])
})
