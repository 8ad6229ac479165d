import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BootstepCircleError, DuplicateStepError, UnknownRequirementError } from './graph-errors.ts'
import { type OrderedStep, orderSteps } from './order-steps.ts'

const names = (steps: readonly OrderedStep[]): string[] => orderSteps(steps).map((step) => step.name)

function caught(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return expect.unreachable('should have thrown')
}

describe('orderSteps', () => {
  test('leaves steps that require nothing as they are', () => {
    expect(names([{ name: 'c' }, { name: 'a' }, { name: 'b' }])).toEqual(['c', 'a', 'b'])
  })

  test('moves what a step requires before it, and nothing else', () => {
    const steps = [
      { name: 'consumer', requires: ['pool', 'timer'] },
      { name: 'web' },
      { name: 'timer' },
      { name: 'pool', requires: ['timer'] },
    ]
    expect(names(steps)).toEqual(['timer', 'pool', 'consumer', 'web'])
  })

  test('puts a last step after all that are not, also those given later', () => {
    const steps = [
      { name: 'loop', last: true, requires: ['consumer'] },
      { name: 'consumer', last: true },
      { name: 'pool' },
      { name: 'custom' },
    ]
    expect(names(steps)).toEqual(['pool', 'custom', 'consumer', 'loop'])
  })

  test('names the circle, and only the circle', () => {
    const error = caught(() =>
      orderSteps([
        { name: 'entry', requires: ['a'] },
        { name: 'bystander' },
        { name: 'a', requires: ['bystander', 'b'] },
        { name: 'b', requires: ['c'] },
        { name: 'c', requires: ['a'] },
      ]),
    )
    expect(error).toBeInstanceOf(BootstepCircleError)
    expect(error).toMatchObject({ circle: ['a', 'b', 'c', 'a'], message: expect.stringContaining('a -> b -> c -> a') })
  })

  test('finds a step that requires itself, and one that requires a last one', () => {
    expect(caught(() => orderSteps([{ name: 'a', requires: ['a'] }]))).toMatchObject({ circle: ['a', 'a'] })
    const backwards = [
      { name: 'a', requires: ['z'] },
      { name: 'z', last: true },
    ]
    expect(caught(() => orderSteps(backwards))).toMatchObject({ circle: ['a', 'z', 'a'] })
  })

  test('names an unknown requirement, who has it and what there is', () => {
    const error = caught(() => orderSteps([{ name: 'pool', requires: ['tymer'] }, { name: 'timer' }]))
    expect(error).toBeInstanceOf(UnknownRequirementError)
    expect(error).toMatchObject({
      step: 'pool',
      requirement: 'tymer',
      known: ['pool', 'timer'],
      message: "step 'pool' requires 'tymer', which is not a step; there are: pool, timer",
    })
  })

  test('refuses two steps of one name', () => {
    expect(caught(() => orderSteps([{ name: 'a' }, { name: 'a' }]))).toBeInstanceOf(DuplicateStepError)
  })

  test('keeps every step once and after its requirements, whatever the graph', () => {
    // Requirements point to lower numbers only, so there is no circle; the order given is a random one.
    const graph = fc
      .array(fc.array(fc.nat(20), { maxLength: 4 }), { minLength: 1, maxLength: 15, size: 'max' })
      .map((wanted) =>
        wanted.map((numbers, i) => ({
          name: `s${i}`,
          requires: numbers.filter((number) => number < i).map((number) => `s${number}`),
        })),
      )
      .chain((steps) => fc.shuffledSubarray(steps, { minLength: steps.length }))
    fc.assert(
      fc.property(graph, (steps) => {
        const ordered = names(steps)
        expect([...ordered].sort()).toEqual(steps.map((step) => step.name).sort())
        for (const { name, requires } of steps) {
          for (const other of requires) expect(ordered.indexOf(other)).toBeLessThan(ordered.indexOf(name))
        }
        expect(names(orderSteps(steps))).toEqual(ordered)
      }),
    )
  })
})
