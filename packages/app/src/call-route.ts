import { meaningfulOptionNames, type PlannedCall } from '@celery/canvas'
import type { Delivery } from './delivery.ts'
import { snakeCase } from './name-spelling.ts'
import type { TaskOptions } from './task.ts'
import { routeOptionNames, type TaskRoute, withNearer } from './task-routes.ts'

/** What a call and its task say of where it goes and how, the call first. */
export function routeOf({ options }: PlannedCall, task: TaskOptions | undefined, { queue }: Delivery): TaskRoute {
  const own: Record<string, unknown> = {}
  for (const { name, wireName } of routeNames) {
    const value = options[wireName]
    if (value !== undefined && value !== null) own[name] = value
  }
  if (queue !== undefined) own['queue'] = queue
  return task === undefined ? own : withNearer(routeOfTask(task), own)
}

function routeOfTask(task: TaskOptions): TaskRoute {
  const route: Record<string, unknown> = {}
  for (const { name } of routeNames) if (task[name] !== undefined) route[name] = task[name]
  return route
}

/** With their spelling on the wire. */
const routeNames = routeOptionNames.map((name) => ({ name, wireName: snakeCase(name) }))

/** Of these the property is what is sent: `properties` itself has been unfolded. */
const propertyNames: ReadonlySet<string> = new Set(['correlationId', 'properties'])
const ownNames: ReadonlySet<string> = new Set(
  meaningfulOptionNames.filter((name) => !propertyNames.has(name)).map(snakeCase),
)

/** The properties of the message that are the caller's own. */
export function wireProperties(
  options: PlannedCall['options'],
  expirationMs: number | undefined,
): Record<string, unknown> | undefined {
  let properties: Record<string, unknown> | undefined
  for (const name in options) {
    if (ownNames.has(name)) continue
    properties ??= {}
    properties[name] = options[name]
  }
  // RabbitMQ wants milliseconds as text.
  return expirationMs === undefined ? properties : { ...properties, expiration: String(Math.ceil(expirationMs)) }
}
