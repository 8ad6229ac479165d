import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { inspect } from 'node:util'
import { type Configuration, ImproperlyConfiguredError } from '@celery/app'
import { areLimitsInOrder } from '@celery/app/internal'
import { closestName } from '@celery/promises'
import type { WorkerOptions } from './worker-options.ts'

interface Rule {
  readonly expected: string
  test(value: unknown): boolean
}

/**
 * Refuses what the compiler would have refused, before a worker starts with it: a slip would else show as a worker that
 * runs nothing, or far from where it was made.
 * @throws ImproperlyConfiguredError for the first option that cannot be right
 */
export function checkWorkerOptions(options: WorkerOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof WorkerOptions] : undefined
    if (rule === undefined) throw unknownOption(name)
    if (!rule.test(value)) {
      throw new ImproperlyConfiguredError(
        name,
        `the worker option ${name} must be ${rule.expected}, not ${inspect(value, shortly)}`,
      )
    }
  }
}

/** Limits of its options, else of its settings. @throws ImproperlyConfiguredError where the soft one would never be reached */
export function checkLimits(options: WorkerOptions, conf: Configuration): void {
  const hard = options.timeLimit ?? conf.taskTimeLimit
  const soft = options.softTimeLimit ?? conf.taskSoftTimeLimit
  if (areLimitsInOrder(hard, soft)) return
  const hardName = options.timeLimit === undefined ? 'the setting taskTimeLimit' : 'its option timeLimit'
  const softName = options.softTimeLimit === undefined ? 'setting taskSoftTimeLimit' : 'worker option softTimeLimit'
  throw new ImproperlyConfiguredError(
    options.softTimeLimit === undefined ? 'taskSoftTimeLimit' : 'softTimeLimit',
    `the ${softName} must be at most ${hardName}, which is ${hard}, not ${soft}`,
  )
}

function unknownOption(name: string): ImproperlyConfiguredError {
  const near = closestName(name, Object.keys(rules))
  const hint = near === undefined ? `known are ${Object.keys(rules).join(', ')}` : `did you mean ${near}?`
  return new ImproperlyConfiguredError(name, `there is no worker option "${name}"; ${hint}`)
}

const shortly = { depth: 0, maxStringLength: 80, maxArrayLength: 3 } as const

const text: Rule = { expected: 'a string', test: (value) => typeof value === 'string' && value !== '' }
const flag: Rule = { expected: 'true or false', test: (value) => typeof value === 'boolean' }
const amount: Rule = { expected: 'a number, 0 or more', test: (value) => typeof value === 'number' && value >= 0 }
const count: Rule = {
  expected: 'a whole number of at least 1',
  test: (value) => Number.isInteger(value) && (value as number) >= 1,
}
const texts: Rule = {
  expected: 'a list of strings',
  test: (value) => Array.isArray(value) && value.every(text.test),
}
const levels: readonly unknown[] = ['debug', 'info', 'warning', 'error', 'critical']

const rules: { readonly [Name in keyof Required<WorkerOptions>]: Rule } = {
  hostname: text,
  concurrency: { expected: 'a whole number, 0 or more', test: (value) => value === 0 || count.test(value) },
  // Which there are is said where it is made, since it may come from the settings.
  pool: text,
  queues: {
    expected: 'a list of at least one queue name',
    test: (value) => texts.test(value) && (value as readonly unknown[]).length > 0,
  },
  prefetchMultiplier: amount,
  disablePrefetch: flag,
  optimization: { expected: "'default' or 'fair'", test: (value) => value === 'default' || value === 'fair' },
  timeLimit: amount,
  softTimeLimit: amount,
  maxTasksPerChild: count,
  maxMemoryPerChild: count,
  include: texts,
  appModule: {
    expected: 'the URL of the module that creates the app (import.meta.url there), and its file must exist',
    test: isModule,
  },
  appExport: text,
  settings: { expected: 'an object', test: (value) => typeof value === 'object' && value !== null },
  execArgv: { expected: 'a list of flags of Node', test: (value) => Array.isArray(value) && value.every(isString) },
  logger: {
    expected: 'an object with the methods debug, info, warning, error, critical and isEnabled',
    test: (value) =>
      [...levels, 'isEnabled'].every((name) => isFunction((value as Record<string, unknown>)?.[`${name}`])),
  },
  logFile: text,
  logLevel: { expected: `one of ${levels.join(', ')}`, test: (value) => levels.includes(value) },
  health: flag,
  healthPort: {
    expected: 'a whole number from 0 to 65535',
    test: (value) => value === 0 || (count.test(value) && (value as number) <= 65_535),
  },
  healthHost: text,
  settleGraceMs: amount,
}

function isString(value: unknown): boolean {
  return typeof value === 'string'
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

/** Pool processes import it from a folder of their own, where a relative path means something else. */
function isModule(value: unknown): boolean {
  if (typeof value !== 'string') return false
  if (isAbsolute(value)) return existsSync(value)
  if (!URL.canParse(value)) return false
  const url = new URL(value)
  url.search = url.hash = ''
  return url.protocol !== 'file:' || existsSync(url)
}
