import { type EncodeTaskOptions, propertiesOf, type TaskCall, timeLimitsOf } from './encode-task-message.ts'
import { formatIsoTime } from './iso-time.ts'
import type { SignatureData } from './signature-data.ts'
import type { TaskHeaders } from './task-types.ts'
import type { MessageProperties } from './wire-message.ts'

/** A protocol 1 message before its body is serialized. */
export interface TaskMessageV1 {
  /** The user's own; all others stand in the body. */
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: MessageProperties
  /** For the serializer. */
  readonly body: TaskBodyV1
}

/** Everything about a call (wire 1.2). Wire spelling. */
export interface TaskBodyV1 {
  readonly task: string
  readonly id: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly group: string | null
  readonly group_index: number | null
  readonly retries: number
  readonly eta: string | null
  readonly expires: string | null
  /** Whether times without offset are in UTC. */
  readonly utc: boolean
  readonly callbacks: readonly SignatureData[] | null
  readonly errbacks: readonly SignatureData[] | null
  readonly timelimit: TaskHeaders['timelimit']
  /** What `group` was called before Celery 3.0; where both are there it wins. */
  readonly taskset: string | null
  readonly chord: SignatureData | null
}

/**
 * The protocol 1 message of a call, for workers older than Celery 4 (`task_protocol = 1`). It has no place for the root
 * and parent, shadow name, origin, stamps and the wish to ignore the result: they are left out, as in Celery. The steps
 * of a chain become callbacks of each other.
 *
 * @throws RangeError where `etaMs` or `expiresMs` is outside of the years 1 to 9999.
 */
export function encodeTaskMessageV1(call: TaskCall, options?: EncodeTaskOptions): TaskMessageV1 {
  const group = call.groupId ?? null
  return {
    headers: call.headers ?? {},
    properties: propertiesOf(call, options),
    body: {
      task: call.task,
      id: call.id,
      args: call.args,
      kwargs: call.kwargs,
      group,
      group_index: call.groupIndex ?? null,
      retries: call.retries ?? 0,
      eta: call.etaMs === undefined ? null : formatIsoTime(call.etaMs),
      expires: call.expiresMs === undefined ? null : formatIsoTime(call.expiresMs),
      utc: true,
      callbacks: withChain(call),
      errbacks: call.errbacks ?? null,
      timelimit: timeLimitsOf(call),
      taskset: group,
      chord: call.chord ?? null,
    },
  }
}

function withChain({ callbacks = null, chain }: TaskCall): readonly SignatureData[] | null {
  let next: SignatureData | undefined
  // The last step stands first.
  for (const step of chain ?? []) next = next === undefined ? step : withLink(step, next)
  return next === undefined ? callbacks : [...(callbacks ?? []), next]
}

function withLink(signature: SignatureData, link: SignatureData): SignatureData {
  const { options } = signature
  return { ...signature, options: { ...options, link: [...(options.link ?? []), link] } }
}
