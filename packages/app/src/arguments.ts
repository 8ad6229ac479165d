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
  if (args.length > parameters.most) {
    throw new TaskArgumentsError(task, `takes ${count(parameters.most)} but ${args.length} were given`)
  }
  const given = kwargs === undefined ? [] : Object.keys(kwargs)
  if (given.length === 0) {
    if (args.length < parameters.least) {
      throw new TaskArgumentsError(task, `takes at least ${count(parameters.least)} but ${args.length} were given`)
    }
    return
  }
  bindArguments(task, parameters, args, kwargs ?? {})
}

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
  const given = Object.keys(kwargs)
  if (given.length === 0) {
    checkArguments(task, parameters, args, undefined)
    return args
  }
  const { names } = parameters
  if (names === undefined) {
    const hint = 'declare the task with params: [...] to name its parameters'
    throw new TaskArgumentsError(task, `got an unexpected keyword argument '${given[0]}'; ${hint}`)
  }
  const bound = [...args]
  if (bound.length > names.length) {
    throw new TaskArgumentsError(task, `takes ${count(names.length)} but ${args.length} were given`)
  }
  for (const name of given) {
    const position = names.indexOf(name)
    if (position === -1) throw new TaskArgumentsError(task, `got an unexpected keyword argument '${name}'`)
    if (position < args.length) throw new TaskArgumentsError(task, `got multiple values for argument '${name}'`)
    bound[position] = kwargs[name]
  }
  for (let position = 0; position < parameters.least; position++) {
    if (!(position in bound)) throw new TaskArgumentsError(task, `missing a required argument: '${names[position]}'`)
  }
  // Places in between that were not given hold `undefined`, so that the function's own defaults apply.
  return Array.from(bound)
}

function count(number: number): string {
  return number === 1 ? '1 argument' : `${number} arguments`
}

/** Whether the source shows neither defaults nor a rest parameter, so that `fn.length` is exact. */
function hasPlainParameters(fn: (...args: never[]) => unknown): boolean {
  const source = Function.prototype.toString.call(fn)
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
  return !source.startsWith('function () { [native code]')
}
