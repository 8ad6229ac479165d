import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mayReplace } from './may-replace.ts'

const FINAL = ['SUCCESS', 'FAILURE', 'REVOKED']
const state = fc.constantFrom('RECEIVED', 'STARTED', 'RETRY', 'PROGRESS', 'ABORTED', ...FINAL)

/** What is stored after `writes`. */
const store = (writes: readonly string[]): string | undefined =>
  writes.reduce<string | undefined>((current, next) => (mayReplace(current, next) ? next : current), undefined)

test('anything may be stored where nothing is', () => {
  fc.assert(fc.property(state, (next) => mayReplace(undefined, next)))
})

test('a final state, once stored, is final whatever is written after it', () => {
  fc.assert(
    fc.property(fc.array(state), fc.constantFrom(...FINAL), fc.array(state), (before, final, after) => {
      expect(FINAL).toContain(store([...before, final, ...after]))
    }),
  )
})

test('a stored success is never replaced', () => {
  fc.assert(
    fc.property(fc.array(state), fc.array(state), (before, after) => {
      const until = store([...before, 'SUCCESS'])
      expect(store([...before, 'SUCCESS', ...after])).toBe(until)
    }),
  )
})

test('a failure gives way to a success of a later run and to nothing else', () => {
  fc.assert(fc.property(state, (next) => mayReplace('FAILURE', next) === (next === 'SUCCESS')))
})

test('the news that a task has started comes too late once the task has told a state of its own', () => {
  expect(store(['STARTED', 'PROGRESS', 'STARTED'])).toBe('PROGRESS')
  expect(store(['ABORTED', 'STARTED'])).toBe('ABORTED')
  expect(store(['PROGRESS', 'RETRY', 'STARTED'])).toBe('STARTED')
  expect(store(['RECEIVED', 'STARTED'])).toBe('STARTED')
})
