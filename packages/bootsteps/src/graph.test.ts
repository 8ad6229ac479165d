import { expect, test } from 'vitest'
import { graphOf, toDot } from './graph.ts'

test('lists steps in order of starting, with what each requires', () => {
  const graph = graphOf([
    { name: 'consumer', last: true, requires: ['pool'] },
    { name: 'pool', requires: ['timer'] },
    { name: 'timer' },
  ])
  expect(graph).toEqual({
    steps: ['timer', 'pool', 'consumer'],
    edges: [
      { step: 'pool', requires: 'timer' },
      { step: 'consumer', requires: 'pool' },
      { step: 'consumer', requires: 'timer' },
    ],
  })
})

test('writes Graphviz, with names quoted', () => {
  const graph = graphOf([{ name: 'timer' }, { name: 'a "pool"', requires: ['timer'] }])
  expect(toDot(graph, 'worker')).toBe(
    'digraph "worker" {\n  "timer"\n  "a \\"pool\\""\n  "a \\"pool\\"" -> "timer"\n}\n',
  )
})
