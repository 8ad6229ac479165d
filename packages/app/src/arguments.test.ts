import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bindArguments, checkArguments, parametersOf } from './arguments.ts'
import { TaskArgumentsError } from './call-errors.ts'

type AnyFunction = (...args: never[]) => unknown

function limits(fn: AnyFunction, bound = false, names?: readonly string[]): readonly [number, number] {
  const { least, most } = parametersOf(fn, bound, names)
  return [least, most]
}

describe('what is known of the parameters of', () => {
  const open = Number.POSITIVE_INFINITY
  const cases: readonly [name: string, fn: AnyFunction, most: number][] = [
    [
      'a function',
      function plain(a: number, b: number) {
        return a + b
      },
      2,
    ],
    ['an arrow function', (a: number) => a, 1],
    ['an async function', async (a: number, b: number) => a + b, 2],
    [
      'a method',
      {
        method(a: number) {
          return a
        },
      }.method,
      1,
    ],
    ['nothing', () => 0, 0],
    ['an optional parameter', (a: number, b?: number) => [a, b], 2],
    ['a default', (a: number, b = 2) => a + b, open],
    ['a default first', (a = 1, b = 2) => a + b, open],
    ['a rest', (a: number, ...rest: number[]) => a + rest.length, open],
    ['a destructured parameter', ({ a }: { a: number }) => a, 1],
    ['a destructured parameter with a default inside', ({ a = 1 }: { a?: number }) => a, open],
    ['a destructured parameter with a rest inside', ({ ...all }: { a?: number }) => all, open],
    ['a function of the platform', Math.max, open],
    [
      'a bound function',
      function bindable(this: unknown, a: number, b: number) {
        return a + b
      }.bind(undefined),
      open,
    ],
    ['a bracket in a default', (a: string, b = ')') => a + b, open],
    ['a body with defaults of its own', (a: number) => ((b = 1) => a + b)(), 1],
  ]
  test.each(cases)('%s: how many it takes at most, and nothing of how few are enough', (_name, fn, most) => {
    expect(limits(fn)).toEqual([0, most])
    expect(limits(fn, false, [])).toEqual([0, most])
  })

  test('a comment with a bracket in it', () => {
    // As text: a formatter or a compiler might take the comment away.
    const fn = new Function('return (a, /* :) */ b = 1) => a + b')() as AnyFunction
    expect(limits(fn)).toEqual([0, open])
  })

  test('an arrow function without brackets', () => {
    expect(limits(new Function('return a => a')() as AnyFunction)).toEqual([0, 1])
    expect(limits(new Function('return async a => (1, a)')() as AnyFunction)).toEqual([0, 1])
  })

  test('a bound task: the context is none of its arguments', () => {
    expect(limits((_context: unknown, a: number) => a, true)).toEqual([0, 1])
    expect(limits(() => 0, true)).toEqual([0, 0])
  })

  test('a task with names: as many as have names, and as few as have no question mark and no default', () => {
    expect(limits((a: number, b: number) => a + b, false, ['a', 'b'])).toEqual([2, 2])
    expect(limits((a: number, b?: number) => [a, b], false, ['a', 'b?'])).toEqual([1, 2])
    expect(limits((a?: number, b?: number) => [a, b], false, ['a?', 'b?'])).toEqual([0, 2])
    // JavaScript, where nobody checks the names.
    expect(limits((a: number, b = 2) => a + b, false, ['a', 'b'])).toEqual([1, 2])
    expect(limits((_context: unknown, a: number) => a, true, ['a'])).toEqual([1, 1])
    expect(limits((a: number, ...rest: number[]) => [a, rest], false, ['a', 'rest'])).toEqual([1, open])
    expect(limits(Math.max, false, ['a', 'b'])).toEqual([2, 2])
  })
})

const add = parametersOf((x: number, y: number) => x + y, false, ['x', 'y'])
const greet = parametersOf((name: string, greeting = 'hello', mark = '!') => name + greeting + mark, false, [
  'name',
  'greeting',
  'mark',
])
const unnamed = parametersOf((x: number, y: number) => x + y, false, undefined)
const rest = parametersOf((x: number, ...more: number[]) => x + more.length, false, undefined)

describe('binding', () => {
  test('leaves positional arguments as they are', () => {
    const args = [1, 2]
    expect(bindArguments('add', add, args, {})).toBe(args)
    expect(bindArguments('sum', rest, [1, 2, 3], {})).toEqual([1, 2, 3])
  })

  test('takes an optional parameter by its name, and lets it be left out', () => {
    const optional = parametersOf((x: number, y?: number) => [x, y], false, ['x', 'y?'])
    expect(bindArguments('f', optional, [1], {})).toEqual([1])
    expect(bindArguments('f', optional, [1], { y: 2 })).toEqual([1, 2])
    expect(caught(() => bindArguments('f', optional, [], { y: 2 }))?.message).toBe(
      "f() missing 1 required positional argument: 'x'",
    )
    expect(caught(() => bindArguments('f', optional, [1], { 'y?': 2 }))?.message).toContain("'y?'")
  })

  test('puts keyword arguments into their places', () => {
    expect(bindArguments('add', add, [], { y: 2, x: 1 })).toEqual([1, 2])
    expect(bindArguments('add', add, [1], { y: 2 })).toEqual([1, 2])
  })

  test('leaves the places between to the defaults of the function', () => {
    const bound = bindArguments('greet', greet, ['you'], { mark: '?' })
    expect(bound).toEqual(['you', undefined, '?'])
    expect(1 in bound).toBe(true)
  })

  test('takes null and undefined for values', () => {
    expect(bindArguments('add', add, [], { x: null, y: undefined })).toEqual([null, undefined])
  })

  // The words are those of Python's TypeError, which callers of a mixed fleet know and monitors look for.
  const refused: readonly [problem: string, args: readonly unknown[], kwargs: Record<string, unknown>][] = [
    ["add() missing 1 required positional argument: 'y'", [1], {}],
    ["add() missing 2 required positional arguments: 'x' and 'y'", [], {}],
    ["add() missing 1 required positional argument: 'x'", [], { y: 2 }],
    ['add() takes 2 positional arguments but 3 were given', [1, 2, 3], {}],
    ["add() got multiple values for argument 'y'", [1, 2, 3], { y: 2 }],
    ["add() got an unexpected keyword argument 'z'", [1, 2], { z: 3 }],
    ["add() got multiple values for argument 'x'", [1], { x: 1 }],
    ["add() got an unexpected keyword argument '__proto__'", [1, 2], JSON.parse('{"__proto__": 1}')],
    ["add() got an unexpected keyword argument 'length'", [1, 2], { length: 1 }],
  ]
  test.each(refused)('refuses: %s', (problem, args, kwargs) => {
    const error = caught(() => bindArguments('add', add, args, kwargs))
    expect(error).toBeInstanceOf(TaskArgumentsError)
    expect(error).toMatchObject({ message: problem, task: 'add', code: 'ERR_CELERY_TASK_ARGUMENTS' })
  })

  test('says how many a function with defaults takes', () => {
    const say = (args: readonly unknown[]) => caught(() => bindArguments('greet', greet, args, {}))?.message
    expect(say([1, 2, 3, 4])).toBe('greet() takes from 1 to 3 positional arguments but 4 were given')
    expect(say([])).toBe("greet() missing 1 required positional argument: 'name'")
    const none = parametersOf(() => 0, false, [])
    const one = parametersOf((x: number) => x, false, ['x'])
    expect(caught(() => bindArguments('none', none, [1], {}))?.message).toBe(
      'none() takes 0 positional arguments but 1 was given',
    )
    expect(caught(() => bindArguments('one', one, [1, 2], {}))?.message).toBe(
      'one() takes 1 positional argument but 2 were given',
    )
  })

  test('names three that are missing as Python does', () => {
    const three = parametersOf((a: number, b: number, c: number) => a + b + c, false, ['a', 'b', 'c'])
    expect(caught(() => bindArguments('f', three, [], {}))?.message).toBe(
      "f() missing 3 required positional arguments: 'a', 'b', and 'c'",
    )
  })

  test('cannot know how many are enough where the parameters have no names', () => {
    expect(bindArguments('add', unnamed, [1], {})).toEqual([1])
    expect(caught(() => bindArguments('add', unnamed, [1, 2, 3], {}))?.message).toBe(
      'add() takes at most 2 positional arguments but 3 were given',
    )
    expect(caught(() => bindArguments('add', unnamed, [1, 2], { y: 1 }))?.message).toBe(
      "add() got an unexpected keyword argument 'y'; declare the task with params: [...] to name its parameters",
    )
  })
})

describe('checking what is sent', () => {
  test('lets through just what binding would', () => {
    const names = ['a', 'b', 'c', 'd']
    const signatures = fc
      .integer({ min: 0, max: 4 })
      .chain((most) =>
        fc.record({ most: fc.constant(most), least: fc.integer({ min: 0, max: most }), named: fc.boolean() }),
      )
    const kwargs = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer(), { noNullPrototype: true })
    fc.assert(
      fc.property(
        signatures,
        fc.array(fc.integer(), { maxLength: 5 }),
        kwargs,
        ({ least, most, named }, args, given) => {
          const parameters = named ? { least, most, names: names.slice(0, most) } : { least: 0, most, names: undefined }
          const check = caught(() => checkArguments('f', parameters, args, given))?.message
          expect(check).toBe(caught(() => bindArguments('f', parameters, args, given))?.message)
        },
      ),
    )
  })

  test('what is bound calls the function with each value where its name is', () => {
    const names = ['a', 'b', 'c', 'd'] as const
    const parameters = { least: 0, most: 4, names }
    fc.assert(
      fc.property(
        fc.array(fc.integer(), { maxLength: 4 }),
        fc.uniqueArray(fc.constantFrom(...names)),
        (args, given) => {
          const kwargs = Object.fromEntries(
            given.filter((name) => names.indexOf(name) >= args.length).map((n) => [n, n]),
          )
          const bound = bindArguments('f', parameters, args, kwargs)
          names.forEach((name, index) => {
            expect(bound[index]).toBe(index < args.length ? args[index] : kwargs[name])
          })
          expect(bound.length).toBeLessThanOrEqual(4)
        },
      ),
    )
  })

  test('needs no keyword arguments', () => {
    expect(() => checkArguments('add', add, [1, 2], undefined)).not.toThrow()
    expect(() => checkArguments('add', add, [1], undefined)).toThrow("missing 1 required positional argument: 'y'")
  })
})

function caught(run: () => unknown): Error | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return error as Error
  }
}
