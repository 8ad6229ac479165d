import { expect, test } from 'vitest'
import { dataOf } from './data-of.ts'
import { chain, signature } from './index.ts'

const unchecked = chain as (...steps: unknown[]) => unknown

test('a signature gives its data', () => {
  expect(dataOf(signature('add', [2]), 'link')).toMatchObject({ task: 'add', args: [2] })
})

test('a task is told from its signature', () => {
  const add = Object.assign(() => 0, { taskName: 'add' })
  const message = 'chain() takes signatures, not the task add itself: call its s() with the arguments'
  expect(() => unchecked(add, add)).toThrow(new TypeError(message))
  expect(() => unchecked([signature('add'), add])).toThrow(new TypeError(message))
})

test.each([
  [undefined, 'undefined'],
  [null, 'null'],
  [7, 'number'],
  ['add', 'string'],
  [{}, 'object'],
])('%j is no step of a chain', (step, kind) => {
  const message = `chain() takes signatures, such as add.s(2), not ${kind}`
  expect(() => unchecked(step)).toThrow(new TypeError(message))
  expect(() => unchecked(signature('add'), step)).toThrow(new TypeError(message))
})
