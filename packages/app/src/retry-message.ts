import {
  argsRepr,
  assertEnvelopeSize,
  formatIsoTime,
  isWritableTime,
  kwargsRepr,
  type MessageProperties,
  parseIsoTime,
  type TaskBody,
  type TaskHeaders,
} from '@celery/protocol'
import type { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import type { Publication } from '@celery/transport'
import { TaskOptionError } from './call-errors.ts'
import { assertOptions } from './check-call.ts'
import { assertPriority } from './priority.ts'
import type { RetryOptions } from './retry-options.ts'
import type { TraceInput } from './trace-types.ts'
import { withoutUnknownWait } from './unknown-wait.ts'

export interface RetryMessageParts {
  readonly input: TraceInput
  readonly body: TaskBody
  /** Whether the body is a list, as protocol 2 has it. */
  readonly isProtocol2: boolean
  readonly options: RetryOptions
  /** Milliseconds since 1970; `undefined` runs again at once. */
  readonly etaMs: number | undefined
  readonly nowMs: number
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
}

/**
 * The message that lets a task run again (wire 1.5): the one that was received, back to its queue under its own id, one retry
 * further and a child of itself. Everything else is kept as it came, so that nothing is lost that we do not know: chord,
 * stamps, the sender's own headers, and the bytes of the body unless there are other arguments.
 *
 * @throws TaskOptionError, TaskMessageTooLargeError, EncodeError
 */
export function retryMessage(parts: RetryMessageParts): Publication {
  const { etaMs, input, nowMs, options } = parts
  const { headers } = input
  assertGiven(headers, options)
  const expiresMs = expiryOf(headers, options, nowMs)
  const changed: TaskHeaders = {
    ...withoutUnknownWait(headers),
    ...(options.args === undefined ? undefined : { argsrepr: argsRepr(options.args) }),
    ...(options.kwargs === undefined ? undefined : { kwargsrepr: kwargsRepr(options.kwargs) }),
    ...(options.shadow === undefined ? undefined : { shadow: options.shadow }),
    ...(options.ignoreResult === undefined ? undefined : { ignore_result: options.ignoreResult }),
    eta: etaMs === undefined ? null : formatIsoTime(etaMs),
    expires: expiresMs === undefined ? null : formatIsoTime(expiresMs),
    retries: headers.retries + 1,
    parent_id: headers.id,
    timelimit: [options.timeLimit ?? headers.timelimit[0], options.softTimeLimit ?? headers.timelimit[1]],
  }
  const message = { headers: changed, properties: propertiesOf(parts, expiresMs), ...bodyOf(parts) }
  const routingKey = options.queue ?? input.queue
  assertEnvelopeSize(message, '', routingKey)
  return {
    exchange: '',
    routingKey,
    // A task that no queue takes must not be lost without a word.
    mandatory: true,
    message,
    ...(etaMs === undefined || etaMs <= nowMs ? undefined : { notBeforeMs: etaMs }),
  }
}

function bodyOf({ body, compressions, input, isProtocol2, options, serializers }: RetryMessageParts) {
  const { contentEncoding, contentType } = input
  if (options.args === undefined && options.kwargs === undefined && isProtocol2) {
    return { body: input.body, contentType, contentEncoding }
  }
  const { args = body.args, kwargs = body.kwargs } = options
  const encoded = serializers.encode([args, kwargs, body.embed], contentType)
  const { compression } = input.headers
  if (compression === undefined) return encoded
  return { ...encoded, body: compressions.compress(encoded.body, compression).body }
}

function propertiesOf({ input, nowMs, options }: RetryMessageParts, expiresMs: number | undefined): MessageProperties {
  return {
    correlation_id: input.headers.id,
    reply_to: input.replyTo ?? '',
    delivery_mode: 2,
    priority: options.priority ?? input.priority ?? 0,
    // RabbitMQ drops the message itself then; it wants milliseconds as text, and none below 0.
    ...(expiresMs === undefined ? undefined : { expiration: String(Math.max(Math.ceil(expiresMs - nowMs), 0)) }),
  }
}

function expiryOf({ expires, task }: TaskHeaders, options: RetryOptions, nowMs: number): number | undefined {
  const given = options.expires
  if (given === undefined) return expires === null ? undefined : parseIsoTime(expires)
  const ms =
    typeof given === 'number' ? nowMs + given * 1_000 : given instanceof Date ? given.getTime() : parseIsoTime(given)
  if (ms !== undefined && isWritableTime(ms)) return ms
  throw TaskOptionError.expected(task, 'expires', 'a finite number of seconds, a Date or an ISO 8601 time', given)
}

/** By the rules for every call. */
function assertGiven({ id, task }: TaskHeaders, options: RetryOptions): void {
  const { ignoreResult, priority, queue, shadow, softTimeLimit, timeLimit } = options
  assertPriority(task, 'priority', priority)
  const given = {
    ...(queue === undefined ? undefined : { queue }),
    ...(shadow === undefined ? undefined : { shadow }),
    ...(ignoreResult === undefined ? undefined : { ignore_result: ignoreResult }),
    ...(timeLimit === undefined ? undefined : { time_limit: timeLimit }),
    ...(softTimeLimit === undefined ? undefined : { soft_time_limit: softTimeLimit }),
  }
  assertOptions({
    task,
    taskId: id,
    args: [],
    kwargs: {},
    options: given,
    callbacks: null,
    errbacks: null,
    chain: null,
  })
}
