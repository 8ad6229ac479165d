import type { PlannedCall } from '@celery/canvas'
import type { TaskCall } from '@celery/protocol'
import { TaskOptionError } from './call-errors.ts'
import { limitsOf } from './call-limits.ts'
import { wireProperties } from './call-route.ts'
import { etaOf, expiryOf } from './call-times.ts'
import { milliseconds } from './delivery.ts'
import { clampPriority, priorityRule } from './priority.ts'
import type { Destination } from './router.ts'
import type { Settings } from './settings.ts'
import type { RegisteredTask } from './task.ts'
import type { TaskRequest } from './task-request.ts'

export interface CallSurroundings {
  /** The task that sends it. */
  readonly parent: TaskRequest | undefined
  readonly destination: Destination
  /** Where it is declared here. */
  readonly task: RegisteredTask | undefined
  readonly settings: Readonly<Settings>
  readonly nowMs: number
  readonly origin: string
}

/** What the message of a call says: what the call leaves open is as its task, its route, its parent and the settings say. */
export function taskCallOf(call: PlannedCall, surroundings: CallSurroundings): TaskCall {
  const { destination, nowMs, origin, parent, settings, task } = surroundings
  const { options, task: name } = call
  const inherited = settings.taskInheritParentPriority ? parent?.priority : undefined
  const priority = destination.route.priority ?? inherited ?? settings.taskDefaultPriority ?? 0
  if (!Number.isInteger(priority)) throw TaskOptionError.expected(name, 'priority', priorityRule.expected, priority)
  const etaMs = etaOf(call, nowMs)
  const expiresMs = expiryOf(call, task?.options, nowMs)
  const limits = limitsOf(call, task?.options)
  const rootId = call.rootId ?? parent?.rootId
  const shadow = options.shadow ?? task?.shadowName?.(call)
  const properties = wireProperties(options, milliseconds(name, 'expiration', options['expiration']))
  return {
    task: name,
    id: call.taskId,
    origin: origin,
    args: call.args,
    kwargs: call.kwargs,
    callbacks: call.callbacks,
    errbacks: call.errbacks,
    chain: call.chain,
    nowMs,
    parentId: call.parentId ?? parent?.id ?? null,
    groupId: options.group_id ?? null,
    groupIndex: options.group_index ?? null,
    timeLimit: limits.timeLimit,
    softTimeLimit: limits.softTimeLimit,
    ignoreResult: options.ignore_result ?? task?.options.ignoreResult ?? settings.taskIgnoreResult,
    priority: clampPriority(priority),
    persistent: isPersistent(destination, settings.taskDefaultDeliveryMode),
    ...(rootId === undefined ? undefined : { rootId }),
    ...(etaMs === undefined ? undefined : { etaMs }),
    ...(expiresMs === undefined ? undefined : { expiresMs }),
    ...(typeof options['retries'] === 'number' ? { retries: options['retries'] } : undefined),
    ...(typeof options['replaced_task_nesting'] === 'number'
      ? { replacedTaskNesting: options['replaced_task_nesting'] }
      : undefined),
    ...(typeof shadow === 'string' ? { shadow } : undefined),
    ...(typeof options['argsrepr'] === 'string' ? { argsrepr: options['argsrepr'] } : undefined),
    ...(typeof options['kwargsrepr'] === 'string' ? { kwargsrepr: options['kwargsrepr'] } : undefined),
    ...(options.reply_to === undefined ? undefined : { replyTo: options.reply_to }),
    ...(options.headers === undefined ? undefined : { headers: options.headers }),
    ...(properties === undefined ? undefined : { properties }),
  }
}

function isPersistent(
  { isTransient, route: { deliveryMode } }: Destination,
  usual: Settings['taskDefaultDeliveryMode'],
): boolean {
  if (deliveryMode !== undefined) return deliveryMode !== 1
  return !isTransient && usual !== 1 && usual !== 'transient'
}
