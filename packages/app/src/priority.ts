import type { PlannedCall } from '@celery/canvas'
import { isPriority, MAX_PRIORITY, type SignatureData } from '@celery/protocol'
import { TaskOptionError } from './call-errors.ts'
import type { ValueRule } from './value-rule.ts'

export const priorityRule: ValueRule = { expected: `an integer from 0 to ${MAX_PRIORITY}`, test: isPriority }

/** Of a message that others have sent, whose brokers did the same. */
export function clampPriority(priority: number): number {
  return Math.min(Math.max(priority, 0), MAX_PRIORITY)
}

/**
 * A slip of whoever sends a call, in it or in what follows. Not asked of what follows from a task that has succeeded.
 * @throws TaskOptionError
 */
export function assertPriorities({ callbacks, chain, errbacks, options, task }: PlannedCall): void {
  assertPriority(task, 'priority', options.priority)
  assertLinked(task, 'body.embed.callbacks', callbacks)
  assertLinked(task, 'body.embed.errbacks', errbacks)
  assertLinked(task, 'body.embed.chain', chain)
}

/** Null is as good as absent. @throws TaskOptionError */
export function assertPriority(task: string, option: string, value: unknown): void {
  if (value === undefined || value === null || priorityRule.test(value)) return
  throw TaskOptionError.expected(task, option, priorityRule.expected, value)
}

function assertLinked(task: string, field: string, signatures: readonly SignatureData[] | null | undefined): void {
  if (!Array.isArray(signatures)) return
  for (const [index, { options }] of (signatures as readonly SignatureData[]).entries()) {
    const own = `${field}[${index}].options`
    assertPriority(task, `${own}.priority`, options.priority)
    assertLinked(task, `${own}.link`, options.link)
    assertLinked(task, `${own}.link_error`, options.link_error)
  }
}
