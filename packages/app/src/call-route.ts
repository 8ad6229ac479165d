import type { PlannedCall } from '@celery/canvas'
import type { Delivery } from './delivery.ts'
import type { TaskOptions } from './task.ts'
import { type TaskRoute, withNearer } from './task-routes.ts'

/** What a call and its task say of where it goes and how, the call first. */
export function routeOf({ options }: PlannedCall, task: TaskOptions | undefined, { queue }: Delivery): TaskRoute {
  const own: Record<string, unknown> = {}
  for (const name of routeNames) {
    const value = options[wireNames[name]]
    if (value !== undefined && value !== null) own[name] = value
  }
  if (queue !== undefined) own['queue'] = queue
  return task === undefined ? own : withNearer(routeOfTask(task), own)
}

function routeOfTask(task: TaskOptions): TaskRoute {
  const route: Record<string, unknown> = {}
  for (const name of routeNames) if (task[name] !== undefined) route[name] = task[name]
  return route
}

const wireNames: Readonly<Record<keyof TaskRoute, string>> = {
  compression: 'compression',
  deliveryMode: 'delivery_mode',
  exchange: 'exchange',
  exchangeType: 'exchange_type',
  mandatory: 'mandatory',
  priority: 'priority',
  queue: 'queue',
  routingKey: 'routing_key',
  serializer: 'serializer',
}
const routeNames = Object.keys(wireNames) as readonly (keyof TaskRoute)[]

/** Names that mean something here; every other option travels as a message property, as in Celery. */
const ownOptions: ReadonlySet<string> = new Set([
  ...Object.values(wireNames),
  'add_to_parent',
  'argsrepr',
  'chord',
  'confirm_timeout',
  'countdown',
  'eta',
  'expiration',
  'expires',
  'group_id',
  'group_index',
  'headers',
  'ignore_result',
  // Brokers have not had it for long.
  'immediate',
  'kwargs',
  'kwargsrepr',
  'link',
  'link_error',
  'parent_id',
  'replaced_task_nesting',
  'reply_to',
  'retries',
  'retry',
  'retry_policy',
  'root_id',
  'route_name',
  'shadow',
  'soft_time_limit',
  'stamped_headers',
  'task_id',
  'time_limit',
  'timeout',
])

/** The properties of the message that are the caller's own. */
export function wireProperties(
  options: PlannedCall['options'],
  expirationMs: number | undefined,
): Record<string, unknown> | undefined {
  let properties: Record<string, unknown> | undefined
  for (const name in options) {
    if (ownOptions.has(name)) continue
    properties ??= {}
    properties[name] = options[name]
  }
  // RabbitMQ wants milliseconds as text.
  return expirationMs === undefined ? properties : { ...properties, expiration: String(Math.ceil(expirationMs)) }
}
