import { ImproperlyConfiguredError } from './setup-errors.ts'

type Method = (...args: unknown[]) => unknown

/** What an annotation may go around, as in `'@onSuccess'`; `run` is the function of the task. */
const names = ['run', 'shadowName', 'beforeStart', 'onSuccess', 'onFailure', 'onRetry', 'afterReturn'] as const

/** Goes around what was there: Celery's annotations whose name begins with `@`. */
export type Around = (method: Method) => Method

/**
 * A method of a task by what `sources` say of it, in their order: one that has the name takes the place of what was there,
 * called on its source, and one that has it with an `@` goes around that, or around what does nothing. `undefined` where
 * none says anything.
 */
export function methodOf(name: string, sources: readonly (object | undefined)[]): Method | undefined {
  let method: Method | undefined
  for (const source of sources) {
    const { [name]: own, [`@${name}`]: around } = (source ?? {}) as Readonly<Record<string, unknown>>
    if (typeof own === 'function') method = own.bind(source) as Method
    if (typeof around === 'function') method = (around as Around)(method ?? doNothing)
  }
  return method
}

/** @throws ImproperlyConfiguredError for what would go around nothing, or is no function. */
export function assertArounds(task: string, annotation: object): void {
  for (const [name, around] of Object.entries(annotation)) {
    if (!name.startsWith('@')) continue
    if (!(names as readonly string[]).includes(name.slice(1)))
      refuse(task, `there is no ${name}, only @${names.join(', @')}`)
    if (typeof around !== 'function') refuse(task, `${name} must be a function that takes and returns a function`)
  }
}

function refuse(task: string, problem: string): never {
  throw new ImproperlyConfiguredError(
    'taskAnnotations',
    `the setting taskAnnotations, for the task "${task}": ${problem}`,
  )
}

function doNothing(): void {}
