/** What every worker would refuse is refused where it is sent, by the rules with which workers read. */
import type { PlannedCall } from '@celery/canvas'
import { CeleryError } from '@celery/promises'
import {
  checkProperties,
  decodeTaskBody,
  decodeTaskHeaders,
  isName,
  OPTION_RULES,
  type TaskMessage,
} from '@celery/protocol'
import { TaskOptionError } from './app-errors.ts'

/** @throws TaskOptionError for the first option that a worker would not read. */
export function assertOptions({ task, taskId, options }: PlannedCall): void {
  if (!isName(task)) throw TaskOptionError.expected(task, 'taskName', nameRule, task)
  if (!isName(taskId)) throw TaskOptionError.expected(task, 'taskId', nameRule, taskId)
  for (const name in options) {
    const rule = OPTION_RULES.get(name)
    const value = options[name]
    // Null is as good as absent, as in signatures from Python.
    if (rule === undefined || value === null || value === undefined || rule.test(value)) continue
    throw TaskOptionError.expected(task, camelCase(name), rule.expected, value)
  }
}

const nameRule = '1 to 255 printable characters'

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
  try {
    decodeTaskBody(message.body)
    if (options.headers !== undefined) decodeTaskHeaders(message.headers)
    if (properties !== undefined) checkProperties(message.properties)
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
