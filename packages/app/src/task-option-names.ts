import { inspect, types } from 'node:util'
import { closestName } from '@celery/promises'
import { isName } from '@celery/protocol'
import type { AppOptions } from './app-options.ts'
import { camelCase } from './name-spelling.ts'
import { isSetting } from './setting-names.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'
import { taskOptionNames } from './task-option-rules.ts'

/**
 * Any other option may be a plug-in's.
 * @throws ImproperlyConfiguredError for a name that is written in Python's way, or nearly that of an option.
 */
export function assertTaskOptionNames(task: string, options: object): void {
  for (const name in options) {
    if (taskOptionNames.includes(name)) continue
    const meant = closestName(camelCase(name), taskOptionNames)
    if (meant === undefined) continue
    throw new ImproperlyConfiguredError(
      name,
      `the task "${task}" has an option "${name}" that does nothing; did you mean ${meant}?`,
    )
  }
}

/** JavaScript can leave the name out. @throws ImproperlyConfiguredError */
export function assertDeclaration(name: unknown, fn: unknown): void {
  if (typeof name !== 'string') {
    const given = typeof name === 'function' && name.name !== '' ? name.name : 'fn'
    const problem = `a task needs a name before its function: app.task('proj.${given}', ${given}); it is what travels`
    throw new ImproperlyConfiguredError('name', problem)
  }
  if (!isName(name)) {
    const problem = `the name of a task must be 1 to 255 printable characters, not ${inspect(name, { maxStringLength: 80 })}`
    throw new ImproperlyConfiguredError('name', problem)
  }
  if (typeof fn !== 'function') {
    const problem = `the task "${name}" needs a function after its name: app.task('${name}', async (x) => …)`
    throw new ImproperlyConfiguredError('fn', problem)
  }
  if (types.isGeneratorFunction(fn)) {
    const problem = `the task "${name}" cannot be a generator, whose values would go nowhere: return them in a list`
    throw new ImproperlyConfiguredError('fn', problem)
  }
}

const appOptionNames: Readonly<Record<keyof AppOptions, true>> = {
  autofinalize: true,
  backend: true,
  broker: true,
  fixups: true,
  include: true,
  notify: true,
  root: true,
  setAsCurrent: true,
  settings: true,
}

/** @throws ImproperlyConfiguredError for a name that is no option of an app, with what it is likely meant to be. */
export function assertAppOptionNames(options: object): void {
  for (const name in options) {
    if (Object.hasOwn(appOptionNames, name)) continue
    throw new ImproperlyConfiguredError(name, `an app has no option "${name}"; ${appHint(name)}`)
  }
}

function appHint(name: string): string {
  const closest = closestName(camelCase(name), Object.keys(appOptionNames))
  if (closest !== undefined) return `did you mean ${closest}?`
  const known = Object.keys(appOptionNames).join(', ')
  return isSetting(camelCase(name)) ? `it is a setting: settings: { ${camelCase(name)}: … }` : `it has ${known}`
}
