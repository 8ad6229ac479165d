/** What every worker would refuse is refused where it is sent, by the rules with which workers read. */
import type { PlannedCall } from '@celery/canvas'
import { CeleryError } from '@celery/promises'
import {
  checkProperties,
  decodeTaskBody,
  decodeTaskHeaders,
  isName,
  OPTION_RULES,
  type OptionRule,
  type TaskMessage,
} from '@celery/protocol'
import { TaskOptionError } from './call-errors.ts'
import { assertPriority } from './priority.ts'

/** @throws TaskOptionError for the first option that a worker would not read. */
export function assertOptions({ args, task, taskId, options }: PlannedCall): void {
  if (!isName(task)) throw TaskOptionError.expected(task, 'taskName', nameRule, task)
  if (!isName(taskId)) throw TaskOptionError.expected(task, 'taskId', nameRule, taskId)
  // What is no list, only JavaScript lets pass.
  if (!Array.isArray(args)) throw TaskOptionError.expected(task, 'args', 'a list, such as [2, 2]', args)
  for (const name in options) {
    const rule = OPTION_RULES.get(name) ?? sendingRules.get(name)
    const value = options[name]
    // Null is as good as absent, as in signatures from Python.
    if (rule === undefined || value === null || value === undefined || rule.test(value)) continue
    throw TaskOptionError.expected(task, camelCase(name), rule.expected, value)
  }
}

const nameRule = '1 to 255 printable characters'

/** Of options that are for the sender alone. */
const sendingRules: ReadonlyMap<string, Pick<OptionRule, 'expected' | 'test'>> = new Map([
  ['compression', { expected: 'text', test: (value: unknown) => typeof value === 'string' }],
  ['delivery_mode', { expected: '1 or 2', test: (value: unknown) => value === 1 || value === 2 }],
  [
    'exchange_type',
    {
      expected: 'direct, topic, fanout or headers',
      test: (value: unknown) => ['direct', 'topic', 'fanout', 'headers'].includes(value as string),
    },
  ],
  ['mandatory', { expected: 'true or false', test: (value: unknown) => typeof value === 'boolean' }],
  ['retry', { expected: 'true or false', test: (value: unknown) => typeof value === 'boolean' }],
  ['route_name', { expected: nameRule, test: isName }],
])

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/**
 * The same for the arguments, the signatures, and what the caller writes into headers and properties.
 * @throws TaskOptionError
 */
export function assertReceivable(
  { task, options }: PlannedCall,
  message: TaskMessage,
  properties: object | undefined,
): void {
  assertDecodes(task, () => {
    decodeTaskBody(message.body)
    if (options.headers !== undefined) decodeTaskHeaders(message.headers)
    if (properties !== undefined) checkProperties(message.properties)
  })
}

/** The same for what others have written into them. @throws TaskOptionError */
export function assertStillReceivable(task: string, { headers, properties }: TaskMessage): void {
  assertPriority(task, 'properties.priority', properties.priority)
  assertDecodes(task, () => {
    // Protocol 1 has the user's own only.
    if ('lang' in headers) decodeTaskHeaders(headers)
    checkProperties(properties)
  })
}

function assertDecodes(task: string, decode: () => void): void {
  try {
    decode()
  } catch (error) {
    if (CeleryError.is(error, 'ERR_CELERY_INVALID_TASK_MESSAGE')) {
      const { field, reason } = error as CeleryError & { readonly field: string; readonly reason: string }
      throw new TaskOptionError(task, field, `is not what workers take: ${reason}`, { cause: error })
    }
    if (CeleryError.is(error, 'ERR_CELERY_INVALID_ENVELOPE')) {
      const { reason } = error as CeleryError & { readonly reason: string }
      throw new TaskOptionError(task, 'properties', `are not what workers take: ${reason}`, { cause: error })
    }
    throw error
  }
}
