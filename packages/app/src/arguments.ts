import { TaskArgumentsError } from './app-errors.ts'

/** What is known of a task function's parameters. */
export interface Parameters {
  /** Fewest positional arguments. */
  readonly least: number
  /** Most, `Infinity` with a rest parameter. */
  readonly most: number
  /** Names for keyword arguments; `undefined` where the task takes none. */
  readonly names: readonly string[] | undefined
}

/**
 * Reads how many arguments `fn` takes. `fn.length` counts only those before the first default or rest parameter, so
 * `most` is open unless `names` says otherwise or the source shows a plain list.
 */
export function parametersOf(
  fn: (...args: never[]) => unknown,
  bound: boolean,
  names: readonly string[] | undefined,
): Parameters {
  const least = Math.max(0, fn.length - (bound ? 1 : 0))
  if (names !== undefined) return { least: Math.min(least, names.length), most: names.length, names }
  return { least, most: hasPlainParameters(fn) ? least : Number.POSITIVE_INFINITY, names: undefined }
}

/** Checks what is sent: enough and not too many arguments, and only known names, as Python checks on `apply_async`. */
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
  if (args.length > most) throw new TaskArgumentsError(task, tooMany(least, most, args.length))
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

function tooMany(least: number, most: number, given: number): string {
  const takes = least === most ? `${most}` : `from ${least} to ${most}`
  return `takes ${takes} positional argument${takes === '1' ? '' : 's'} but ${given} ${given === 1 ? 'was' : 'were'} given`
}

function missing(positions: readonly number[], names: readonly string[] | undefined): string {
  const { length } = positions
  const quoted = positions.map((position) => `'${names?.[position]}'`)
  const last = quoted.pop()
  const list = [quoted.join(', '), ...(quoted.length === 0 ? [] : [quoted.length === 1 ? ' and ' : ', and ']), last]
  const which = names === undefined ? '' : `: ${list.join('')}`
  return `missing ${length} required positional argument${length === 1 ? '' : 's'}${which}`
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index)
}

/** Whether the source shows neither defaults nor a rest parameter, so that `fn.length` is exact. */
function hasPlainParameters(fn: (...args: never[]) => unknown): boolean {
  const source = Function.prototype.toString.call(fn).replace(comments, '')
  // A function of the platform, or bound: nothing is known of what it takes.
  if (source.endsWith('{ [native code] }')) return false
  const open = source.indexOf('(')
  const arrow = source.indexOf('=>')
  // `x => …` has exactly one parameter.
  if (open === -1 || (arrow !== -1 && arrow < open)) return true
  let depth = 0
  for (let index = open; index < source.length; index++) {
    const character = source[index]
    if (character === '(' || character === '{' || character === '[') depth++
    else if (character === ')' || character === '}' || character === ']') depth--
    else if (character === '=' || (character === '.' && source.startsWith('...', index))) return false
    if (depth === 0) break
  }
  return true
}

const comments = /\/\*[\s\S]*?\*\/|\/\/.*/g
