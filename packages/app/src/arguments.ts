import { TaskArgumentsError } from './call-errors.ts'

/** What is known of a task function's parameters. */
export interface Parameters {
  /** Fewest positional arguments; 0 where nobody said which may be left out. */
  readonly least: number
  /** Most, `Infinity` with a rest parameter. */
  readonly most: number
  /** Names for keyword arguments; `undefined` where the task takes none. */
  readonly names: readonly string[] | undefined
}

/**
 * Reads how many arguments `fn` takes. A call that its types allow must never be refused for their number, and at run time
 * nothing tells `y?: number` from `y: number`. So too few is known only where `names` say what may be left out (`'y?'`);
 * too many is, where the source shows a plain list.
 */
export function parametersOf(
  fn: (...args: never[]) => unknown,
  bound: boolean,
  names: readonly string[] | undefined,
): Parameters {
  // Those before the first default or rest parameter.
  const declared = Math.max(0, fn.length - (bound ? 1 : 0))
  const list = listOf(fn)
  if (names === undefined || names.length === 0) {
    return { least: 0, most: list === 'plain' ? declared : Number.POSITIVE_INFINITY, names }
  }
  const optional = names.findIndex((name) => name.endsWith('?'))
  return {
    least: Math.min(declared, optional === -1 ? names.length : optional),
    most: list === 'rest' ? Number.POSITIVE_INFINITY : names.length,
    names: names.map((name) => (name.endsWith('?') ? name.slice(0, -1) : name)),
  }
}

/** Checks what is sent, as Python does on `apply_async`: the number of arguments, as far as it is known, and their names. */
export function checkArguments(
  task: string,
  parameters: Parameters,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>> | undefined,
): void {
  bindArguments(task, parameters, args, kwargs ?? noKwargs)
}

const noKwargs: Readonly<Record<string, unknown>> = Object.freeze({})

/**
 * Puts keyword arguments, from any language, into their places.
 * @throws TaskArgumentsError in the words of Python's TypeError.
 */
export function bindArguments(
  task: string,
  parameters: Parameters,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): readonly unknown[] {
  const { least, most, names } = parameters
  const given = Object.keys(kwargs)
  const bound = given.length === 0 ? args : withKeywords(task, names, args, kwargs, given)
  // In Python's order: the keywords first, then the number of arguments.
  if (args.length > most) throw new TaskArgumentsError(task, tooMany(parameters, args.length))
  if (given.length === 0) {
    if (args.length < least) throw new TaskArgumentsError(task, missing(range(args.length, least), names))
    return args
  }
  const absent = range(args.length, least).filter((position) => !(position in bound))
  if (absent.length > 0) throw new TaskArgumentsError(task, missing(absent, names))
  // Places in between that were not given hold `undefined`, so that the function's own defaults apply.
  return Array.from(bound)
}

function withKeywords(
  task: string,
  names: readonly string[] | undefined,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  given: readonly string[],
): readonly unknown[] {
  const bound = [...args]
  for (const name of given) {
    const position = names?.indexOf(name) ?? -1
    if (position === -1) {
      const hint = names === undefined ? '; declare the task with params: [...] to name its parameters' : ''
      throw new TaskArgumentsError(task, `got an unexpected keyword argument '${name}'${hint}`)
    }
    if (position < args.length) throw new TaskArgumentsError(task, `got multiple values for argument '${name}'`)
    bound[position] = kwargs[name]
  }
  return bound
}

function tooMany({ least, most, names }: Parameters, given: number): string {
  // Without names nobody knows how many are enough.
  const takes = least === most ? `${most}` : names === undefined ? `at most ${most}` : `from ${least} to ${most}`
  return `takes ${takes} positional argument${most === 1 ? '' : 's'} but ${given} ${given === 1 ? 'was' : 'were'} given`
}

function missing(positions: readonly number[], names: readonly string[] = []): string {
  const { length } = positions
  const quoted = positions.map((position) => `'${names[position]}'`)
  const last = quoted.pop()
  const list = [quoted.join(', '), ...(quoted.length === 0 ? [] : [quoted.length === 1 ? ' and ' : ', and ']), last]
  return `missing ${length} required positional argument${length === 1 ? '' : 's'}: ${list.join('')}`
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index)
}

/**
 * What the source shows: a `plain` list, of which `fn.length` is the number; one that ends in a `rest` parameter; or one
 * that is `unknown`, with defaults or without a source.
 */
function listOf(fn: (...args: never[]) => unknown): 'plain' | 'rest' | 'unknown' {
  const source = Function.prototype.toString.call(fn).replace(comments, '')
  // A function of the platform, or bound: nothing is known of what it takes.
  if (source.endsWith('{ [native code] }')) return 'unknown'
  const open = source.indexOf('(')
  const arrow = source.indexOf('=>')
  // `x => …` has exactly one parameter.
  if (open === -1 || (arrow !== -1 && arrow < open)) return 'plain'
  let found: 'plain' | 'unknown' = 'plain'
  let depth = 0
  for (let index = open; index < source.length; index++) {
    const character = source[index]
    if (character === '(' || character === '{' || character === '[') depth++
    else if (character === ')' || character === '}' || character === ']') depth--
    else if (character === '=') found = 'unknown'
    else if (character === '.' && source.startsWith('...', index)) {
      if (depth === 1) return 'rest'
      found = 'unknown'
    }
    if (depth === 0) break
  }
  return found
}

const comments = /\/\*[\s\S]*?\*\/|\/\/.*/g
