import { inspect } from 'node:util'
import { OPTION_RULES, type OptionRule } from '@celery/protocol'
import { areLimitsInOrder } from './limit-order.ts'
import { priorityRule } from './priority.ts'
import { rateRule } from './rate-rule.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'
import type { GivenTaskOptions, TaskExtras, TaskOptions } from './task.ts'
import type { ValueRule } from './value-rule.ts'

const isText = (value: unknown): boolean => typeof value === 'string'
const isFunction = (value: unknown): boolean => typeof value === 'function'
const isObject = (value: unknown): boolean => typeof value === 'object' && !Array.isArray(value)
const isAmount = (value: unknown): boolean => Number.isFinite(value) && (value as number) >= 0
const isBoolean = (value: unknown): boolean => typeof value === 'boolean'

const bool: ValueRule = { expected: 'true or false', test: isBoolean }
const text: ValueRule = { expected: 'a text', test: isText }
const seconds: ValueRule = { expected: 'a number of seconds, 0 or more', test: isAmount }
const count: ValueRule = {
  expected: 'a whole number, 0 or more',
  test: (value) => Number.isSafeInteger(value) && isAmount(value),
}
const limit = OPTION_RULES.get('time_limit') as OptionRule
const method: ValueRule = { expected: 'a function', test: isFunction }
const options: ValueRule = { expected: 'an object', test: isObject }
const errors: ValueRule = {
  expected: 'a list of error classes, or of functions that recognise errors',
  test: (value) => Array.isArray(value) && value.every(isFunction),
}
const types = ['direct', 'topic', 'fanout', 'headers']

/** Every option of a task. A schema is looked at where it is put to use. */
const rules: Readonly<Record<Exclude<keyof GivenTaskOptions, keyof TaskExtras>, ValueRule>> = {
  acksLate: bool,
  acksOnFailure: bool,
  acksOnFailureOrTimeout: bool,
  acksOnTimeout: bool,
  afterReturn: method,
  args: { expected: 'a schema', test: () => true },
  autoretryFor: errors,
  base: { expected: 'an object or a class', test: (value) => isObject(value) || isFunction(value) },
  beforeStart: method,
  bind: bool,
  compression: text,
  defaultRetryDelay: seconds,
  deliveryMode: { expected: '1 or 2', test: (value) => value === 1 || value === 2 },
  dontAutoretryFor: errors,
  exchange: text,
  exchangeType: { expected: types.join(' or '), test: (value) => types.includes(value as string) },
  expires: { expected: 'a finite number of seconds', test: Number.isFinite },
  ignoreResult: bool,
  mandatory: bool,
  maxRetries: { expected: `${count.expected}, or null for ever`, test: count.test },
  onFailure: method,
  onRetry: method,
  onSuccess: method,
  params: {
    expected: "a list of names, such as ['item', 'count?']",
    test: (value) => Array.isArray(value) && value.every(isText),
  },
  priority: priorityRule,
  queue: { expected: 'the name of a queue, or one', test: (value) => isText(value) || isObject(value) },
  rateLimit: rateRule,
  rejectOnWorkerLost: bool,
  request: options,
  resultreprMaxsize: count,
  retryBackoff: {
    expected: 'true, false or a number of seconds',
    test: (value) => isBoolean(value) || isAmount(value),
  },
  retryBackoffMax: seconds,
  retryJitter: bool,
  retryKwargs: options,
  routingKey: text,
  serializer: text,
  shadowName: method,
  softTimeLimit: limit,
  storeEagerResult: bool,
  storeErrorsEvenIfIgnored: bool,
  throws: errors,
  timeLimit: limit,
  trackStarted: bool,
  trail: bool,
  typing: bool,
}

export const taskOptionNames: readonly string[] = Object.keys(rules)

/**
 * What would be found out when the task runs, or never. Null is as good as absent; what is no option of ours may be anything.
 * @throws ImproperlyConfiguredError
 */
export function assertTaskOptionValues(task: string, given: object): void {
  for (const [name, { expected, test }] of Object.entries(rules)) {
    const value = (given as Readonly<Record<string, unknown>>)[name]
    if (value === undefined || value === null || test(value)) continue
    const problem = `the option ${name} of the task "${task}" must be ${expected}, not ${inspect(value, shortly)}`
    throw new ImproperlyConfiguredError(name, problem)
  }
  assertTaskLimitsInOrder(task, given)
}

/** Limits of which the soft one would never be reached. @throws ImproperlyConfiguredError */
export function assertTaskLimitsInOrder(task: string, { softTimeLimit, timeLimit }: TaskLimits): void {
  if (areLimitsInOrder(timeLimit, softTimeLimit)) return
  throw new ImproperlyConfiguredError(
    'softTimeLimit',
    `the option softTimeLimit of the task "${task}" must be at most its timeLimit, which is ${timeLimit}, not ${softTimeLimit}`,
  )
}

type TaskLimits = Pick<TaskOptions, 'softTimeLimit' | 'timeLimit'>

const shortly = { depth: 0, maxStringLength: 80, maxArrayLength: 3, breakLength: Number.POSITIVE_INFINITY } as const
