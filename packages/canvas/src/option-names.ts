import { closestName } from '@celery/promises'
import type { CallOptions } from './call-options.ts'
import { UnknownCallOptionError } from './errors.ts'

/** Every option of a call, so that a slip can be told from a property of the message. */
const optionNames: Readonly<Record<keyof CallOptions, true>> = {
  addToParent: true,
  argsrepr: true,
  compression: true,
  confirmTimeout: true,
  correlationId: true,
  countdown: true,
  deliveryMode: true,
  eta: true,
  exchange: true,
  exchangeType: true,
  expiration: true,
  expires: true,
  groupId: true,
  groupIndex: true,
  headers: true,
  ignoreResult: true,
  kwargsrepr: true,
  link: true,
  linkError: true,
  mandatory: true,
  priority: true,
  properties: true,
  queue: true,
  replacedTaskNesting: true,
  replyTo: true,
  retries: true,
  retry: true,
  retryPolicy: true,
  routeName: true,
  routingKey: true,
  serializer: true,
  shadow: true,
  softTimeLimit: true,
  taskId: true,
  timeLimit: true,
  timeout: true,
}

/** Options that only some kinds of calls have, and what AMQP calls the properties of a message. */
const otherNames: ReadonlySet<string> = new Set([
  'immediate',
  'kwargs',
  'parentId',
  'rootId',
  'stampedHeaders',
  'appId',
  'clusterId',
  'messageId',
  'timestamp',
  'type',
  'userId',
])

/** @throws UnknownCallOptionError for a name that is written in Python's way, or nearly that of an option. */
export function assertOptionNames(options: object, task: string | undefined): void {
  for (const name in options) {
    if (Object.hasOwn(optionNames, name) || otherNames.has(name)) continue
    const meant = closestName(name.replaceAll('_', ''), Object.keys(optionNames))
    if (meant !== undefined) throw new UnknownCallOptionError(name, meant, task)
  }
}
