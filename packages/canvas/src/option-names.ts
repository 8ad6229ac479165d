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

/** What signatures say besides, those from Python among them. Brokers have not had `immediate` for long. */
const signatureOptionNames = ['chord', 'immediate', 'kwargs', 'parentId', 'rootId', 'stampedHeaders'] as const

/** Names that mean something in a call or a signature; every other option travels as a message property, as in Celery. */
export const meaningfulOptionNames: readonly string[] = [...Object.keys(optionNames), ...signatureOptionNames]

/** Options that only some kinds of calls have, and what AMQP calls the properties of a message. */
const otherNames: ReadonlySet<string> = new Set([
  ...signatureOptionNames,
  'appId',
  'clusterId',
  'messageId',
  'timestamp',
  'type',
  'userId',
])

/** Options of a call that are no data: as a property, a connection would travel with its password. */
const neverData: ReadonlySet<string> = new Set(['connection', 'declare', 'producer'])

/**
 * @throws UnknownCallOptionError for a name that is written in Python's way, or nearly that of an option; TypeError for what
 * only a call can have, and no signature.
 */
export function assertOptionNames(options: object, task: string | undefined): void {
  for (const name in options) {
    if (Object.hasOwn(optionNames, name) || otherNames.has(name)) continue
    if (neverData.has(name)) {
      throw new TypeError(
        `a signature cannot have the option "${name}", which is no data: say it to applyAsync() of the task`,
      )
    }
    const meant = closestName(name.replaceAll('_', ''), Object.keys(optionNames))
    if (meant !== undefined) throw new UnknownCallOptionError(name, meant, task)
  }
}
