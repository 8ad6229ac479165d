import { types } from 'node:util'
import { closestName } from '@celery/promises'
import { ImproperlyConfiguredError } from './app-errors.ts'
import type { AppOptions } from './app-options.ts'
import { camelCase, isSetting } from './setting-names.ts'
import type { GivenTaskOptions, TaskExtras } from './task.ts'

/** Every option of a task, so that a slip can be told from an option of a plug-in. */
const optionNames: Readonly<Record<Exclude<keyof GivenTaskOptions, keyof TaskExtras>, true>> = {
  acksLate: true,
  acksOnFailureOrTimeout: true,
  afterReturn: true,
  args: true,
  autoretryFor: true,
  base: true,
  beforeStart: true,
  bind: true,
  compression: true,
  defaultRetryDelay: true,
  deliveryMode: true,
  dontAutoretryFor: true,
  exchange: true,
  exchangeType: true,
  expires: true,
  ignoreResult: true,
  mandatory: true,
  maxRetries: true,
  onFailure: true,
  onRetry: true,
  onSuccess: true,
  params: true,
  priority: true,
  queue: true,
  rateLimit: true,
  rejectOnWorkerLost: true,
  request: true,
  resultreprMaxsize: true,
  retryBackoff: true,
  retryBackoffMax: true,
  retryJitter: true,
  retryKwargs: true,
  routingKey: true,
  serializer: true,
  shadowName: true,
  softTimeLimit: true,
  storeEagerResult: true,
  storeErrorsEvenIfIgnored: true,
  throws: true,
  timeLimit: true,
  trackStarted: true,
  trail: true,
  typing: true,
}

/**
 * Any other option may be a plug-in's.
 * @throws ImproperlyConfiguredError for a name that is written in Python's way, or nearly that of an option.
 */
export function assertTaskOptionNames(task: string, options: object): void {
  for (const name in options) {
    if (Object.hasOwn(optionNames, name)) continue
    const meant = closestName(camelCase(name), Object.keys(optionNames))
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
