import { formatIsoTime, type SignatureData, type SignatureOptions } from '@celery/protocol'

/** How a task is sent. Times are seconds. */
export interface CallOptions {
  /** @defaultValue a fresh one */
  readonly taskId?: string | undefined
  readonly queue?: string | undefined
  readonly exchange?: string | undefined
  readonly routingKey?: string | undefined
  /** Higher first on RabbitMQ, lower first on Redis. */
  readonly priority?: number | undefined
  /** Seconds from sending until it may start. */
  readonly countdown?: number | undefined
  /** It does not start before. Text is ISO 8601. */
  readonly eta?: Date | string | undefined
  /** It does not start after: seconds from sending, or a moment. */
  readonly expires?: number | Date | string | undefined
  readonly serializer?: string | undefined
  readonly compression?: string | undefined
  /** Seconds until its process is killed. */
  readonly timeLimit?: number | undefined
  /** Seconds until its signal aborts. */
  readonly softTimeLimit?: number | undefined
  /** Keeps no state and no result. */
  readonly ignoreResult?: boolean | undefined
  /** Further headers of the message. */
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  readonly replyTo?: string | undefined
  /** The name in logs and monitors. */
  readonly shadow?: string | undefined
  /** The arguments as logs and monitors show them. */
  readonly argsrepr?: string | undefined
  readonly kwargsrepr?: string | undefined
  /** Whether to try again if the broker does not take it. */
  readonly retry?: boolean | undefined
  readonly retryPolicy?: Readonly<Record<string, unknown>> | undefined
  /** 2 survives a restart of the broker, 1 does not. */
  readonly deliveryMode?: 1 | 2 | undefined
  /** Further properties of the message, as they are written on the wire; names of options win over them. */
  readonly properties?: Readonly<Record<string, unknown>> | undefined
  /** Called with the result after success, besides those linked already. */
  readonly link?: HasData | readonly HasData[] | undefined
  /** Called with the id of the failed task after failure, besides those linked already. */
  readonly linkError?: HasData | readonly HasData[] | undefined
}

/** Anything that is a signature in the end. */
export interface HasData {
  toData(): SignatureData
}

/** The same in wire spelling; options that are not given stay out. */
export function wireOptions(options: CallOptions): SignatureOptions {
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
    return [value as HasData | readonly HasData[]].flat().map((linked) => linked.toData())
  }
  if (value instanceof Date) return formatIsoTime(value.getTime())
  return value
}
