import { formatIsoTime, type SignatureData, type SignatureOptions } from '@celery/protocol'
import { dataOf } from './data-of.ts'
import { assertOptionNames } from './option-names.ts'

/** How a task is sent. Times are seconds. */
export interface CallOptions {
  /** Id of the call and of its result. @defaultValue a fresh one */
  readonly taskId?: string | undefined
  /** Queue that it goes to: its exchange and routing key come with it. @defaultValue the task's, then `taskRoutes`, then `taskDefaultQueue` */
  readonly queue?: string | undefined
  /** Exchange that it goes through. `''` hands it to the queue of which `routingKey` is the name. */
  readonly exchange?: string | undefined
  /** Makes `exchange` as one of this type, if it is not there. */
  readonly exchangeType?: 'direct' | 'topic' | 'fanout' | 'headers' | undefined
  /** By which a `topic` or `direct` exchange chooses the queue. @defaultValue that of the queue */
  readonly routingKey?: string | undefined
  /** Name by which its route is found. @defaultValue the task's */
  readonly routeName?: string | undefined
  /** 0 to 255, higher first, on RabbitMQ; 0 to 9 on the embedded broker, higher first, and on Redis, lower first: more counts as 9. */
  readonly priority?: number | undefined
  /** Seconds from sending until it may start. */
  readonly countdown?: number | undefined
  /** It does not start before. Text is ISO 8601. */
  readonly eta?: Date | string | undefined
  /** It does not start after: seconds from sending, or a moment. */
  readonly expires?: number | Date | string | undefined
  /** How the message is encoded. @defaultValue the task's, then `taskSerializer` */
  readonly serializer?: string | undefined
  /** How the message is compressed. @defaultValue the task's, then `taskCompression` */
  readonly compression?: string | undefined
  /** Seconds until its process is killed. */
  readonly timeLimit?: number | undefined
  /** Seconds until its signal aborts. */
  readonly softTimeLimit?: number | undefined
  /** Keeps no state and no result. */
  readonly ignoreResult?: boolean | undefined
  /** Further headers of the message. */
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  /** Queue in which an answer is expected. */
  readonly replyTo?: string | undefined
  /** The name in logs and monitors. */
  readonly shadow?: string | undefined
  /** The arguments as logs and monitors show them. */
  readonly argsrepr?: string | undefined
  /** The arguments by name, as logs and monitors show them. */
  readonly kwargsrepr?: string | undefined
  /** Whether to try again if the broker is away. @defaultValue `taskPublishRetry` */
  readonly retry?: boolean | undefined
  /** How often and when to try again; what it leaves out is as in `taskPublishRetryPolicy`. */
  readonly retryPolicy?: CallRetryPolicy | undefined
  /** 2 survives a restart of the broker, 1 does not. @defaultValue the task's, then `taskDefaultDeliveryMode` */
  readonly deliveryMode?: 1 | 2 | undefined
  /** Whether it is an error that no queue takes it. @defaultValue `true` */
  readonly mandatory?: boolean | undefined
  /** Seconds after which the broker may drop it. @defaultValue those of `expires` */
  readonly expiration?: number | undefined
  /** Seconds to wait for the broker's confirmation, retries included. @defaultValue `publishTimeoutMs` */
  readonly timeout?: number | undefined
  /** Another name of `timeout`, which wins. */
  readonly confirmTimeout?: number | undefined
  /** Property by which a reply is told apart. @defaultValue the task's id */
  readonly correlationId?: string | undefined
  /** Whether it is told among the children of the task that sends it. @defaultValue `true` */
  readonly addToParent?: boolean | undefined
  /** The group that it is a part of. */
  readonly groupId?: string | undefined
  /** Its place in that group. */
  readonly groupIndex?: number | undefined
  /** How often it was tried before. @defaultValue `0` */
  readonly retries?: number | undefined
  /** How often tasks on the way to it were replaced. @defaultValue `0` */
  readonly replacedTaskNesting?: number | undefined
  /** Further properties of the message, as they are written on the wire; names of options win over them. */
  readonly properties?: Readonly<Record<string, unknown>> | undefined
  /** Called with the result after success, besides those linked already. */
  readonly link?: HasData | readonly HasData[] | undefined
  /** Called with the id of the failed task after failure, besides those linked already. */
  readonly linkError?: HasData | readonly HasData[] | undefined
}

/** Celery's names and units, seconds. */
export interface CallRetryPolicy {
  /** Tries after the first one; `null` goes on until the publish timeout. @defaultValue `3` */
  readonly maxRetries?: number | null | undefined
  /** Seconds before the first retry. @defaultValue `0` */
  readonly intervalStart?: number | undefined
  /** Seconds by which each wait is longer than the one before. @defaultValue `0.2` */
  readonly intervalStep?: number | undefined
  /** Seconds that no wait exceeds. @defaultValue `1` */
  readonly intervalMax?: number | undefined
}

/** Anything that is a signature in the end. */
export interface HasData {
  toData(): SignatureData
}

/**
 * The same in wire spelling; options that are not given stay out. What is no option is a property of the message.
 * @throws UnknownCallOptionError for a name that is likely a slip.
 */
export function wireOptions(options: CallOptions, task?: string): SignatureOptions {
  assertOptionNames(options, task)
  // As in Celery, they lie among the options, also in a signature.
  const wire: Record<string, unknown> = { ...options.properties }
  for (const [name, value] of Object.entries(options)) {
    if (name !== 'properties' && value !== undefined && value !== null) wire[wireName(name)] = wireValue(name, value)
  }
  return wire
}

function wireName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function wireValue(name: string, value: unknown): unknown {
  if (name === 'link' || name === 'linkError') {
    return [value as HasData | readonly HasData[]].flat().map((linked) => dataOf(linked, name))
  }
  // One that is none is refused where the call is sent, with the name of the task.
  if (value instanceof Date && !Number.isNaN(value.getTime())) return formatIsoTime(value.getTime())
  return value
}
