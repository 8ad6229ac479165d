import type { FleetVersion } from '@celery/serialization'
import { formatIsoTime } from './iso-time.ts'
import { argsRepr, kwargsRepr } from './python-repr.ts'
import type { SignatureData } from './signature-data.ts'
import type { TaskEmbed, TaskHeaders } from './task-types.ts'
import type { MessageProperties } from './wire-message.ts'

/** A call of a task, all decisions made: what one message says. */
export interface TaskCall {
  readonly task: string
  readonly id: string
  /** `gen<pid>@<host>` of this process. */
  readonly origin: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** @defaultValue `id`: the call starts a workflow of its own */
  readonly rootId?: string
  readonly parentId?: string | null
  readonly groupId?: string | null
  readonly groupIndex?: number | null
  /** Milliseconds since 1970 before which it is not to run; a fraction counts as far as microseconds. */
  readonly etaMs?: number
  /** Milliseconds since 1970 after which it is not to run. */
  readonly expiresMs?: number
  /** What it costs to be late: now, in milliseconds since 1970, for the broker's own expiration. @defaultValue `Date.now()` */
  readonly nowMs?: number
  readonly retries?: number
  /** Seconds. */
  readonly timeLimit?: number | null
  /** Seconds. */
  readonly softTimeLimit?: number | null
  readonly ignoreResult?: boolean
  readonly replacedTaskNesting?: number
  /** Name for logs and monitors instead of `task`. */
  readonly shadow?: string | null
  /** @defaultValue the arguments as Python prints them */
  readonly argsrepr?: string
  /** @defaultValue the arguments as Python prints them */
  readonly kwargsrepr?: string
  readonly stampedHeaders?: readonly string[] | null
  readonly stamps?: Readonly<Record<string, unknown>>
  readonly callbacks?: readonly SignatureData[] | null
  readonly errbacks?: readonly SignatureData[] | null
  /** The steps still to come, the next one last. */
  readonly chain?: readonly SignatureData[] | null
  readonly chord?: SignatureData | null
  /** Where an `rpc` result goes. @defaultValue `''` */
  readonly replyTo?: string
  /** @defaultValue `id` */
  readonly correlationId?: string
  /** @defaultValue `0` */
  readonly priority?: number
  /** Whether the message survives a restart of the broker. @defaultValue `true` */
  readonly persistent?: boolean
  /** The user's own headers; as in Python they win over ours of the same name. */
  readonly headers?: Readonly<Record<string, unknown>>
  /** Further properties; they win over ours of the same name. */
  readonly properties?: Readonly<Record<string, unknown>>
}

/** A task message before its body is serialized. */
export interface TaskMessage {
  readonly headers: TaskHeaders
  readonly properties: MessageProperties
  /** For the serializer. */
  readonly body: readonly [args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>, embed: TaskEmbed]
}

export interface EncodeTaskOptions {
  /** Before 5.2, nothing tells RabbitMQ to drop an expired message: a worker does, and says so. @defaultValue `'5.6'` */
  readonly fleetVersion?: FleetVersion
}

const NO_EMBED: TaskEmbed = { callbacks: null, errbacks: null, chain: null, chord: null }
const NO_LIMITS: TaskHeaders['timelimit'] = [null, null]
const NO_STAMPS: Readonly<Record<string, unknown>> = Object.freeze({})

/**
 * The protocol 2 message of a call, with all headers of Celery 5.6; older workers ignore those they do not know.
 * @throws RangeError where `etaMs` or `expiresMs` is outside of the years 1 to 9999.
 */
export function encodeTaskMessage(call: TaskCall, options?: EncodeTaskOptions): TaskMessage {
  const { id, args, kwargs, expiresMs } = call
  const headers: TaskHeaders = {
    lang: 'js',
    task: call.task,
    id,
    shadow: call.shadow ?? null,
    eta: call.etaMs === undefined ? null : formatIsoTime(call.etaMs),
    expires: expiresMs === undefined ? null : formatIsoTime(expiresMs),
    group: call.groupId ?? null,
    group_index: call.groupIndex ?? null,
    retries: call.retries ?? 0,
    timelimit: timeLimitsOf(call),
    root_id: call.rootId ?? id,
    parent_id: call.parentId ?? null,
    argsrepr: call.argsrepr ?? argsRepr(args),
    kwargsrepr: call.kwargsrepr ?? kwargsRepr(kwargs),
    origin: call.origin,
    ignore_result: call.ignoreResult ?? false,
    replaced_task_nesting: call.replacedTaskNesting ?? 0,
    stamped_headers: call.stampedHeaders ?? null,
    stamps: call.stamps ?? NO_STAMPS,
  }
  return {
    headers: call.headers === undefined ? headers : { ...headers, ...call.headers },
    properties: propertiesOf(call, options),
    body: [args, kwargs, embed(call)],
  }
}

/** For every protocol. */
export function timeLimitsOf({ timeLimit, softTimeLimit }: TaskCall): TaskHeaders['timelimit'] {
  if (timeLimit === undefined && softTimeLimit === undefined) return NO_LIMITS
  return [timeLimit ?? null, softTimeLimit ?? null]
}

function embed({ callbacks, errbacks, chain, chord }: TaskCall): TaskEmbed {
  if (callbacks === undefined && errbacks === undefined && chain === undefined && chord === undefined) return NO_EMBED
  return { callbacks: callbacks ?? null, errbacks: errbacks ?? null, chain: chain ?? null, chord: chord ?? null }
}

/** For every protocol. */
export function propertiesOf(call: TaskCall, options: EncodeTaskOptions | undefined): MessageProperties {
  const base: MessageProperties = {
    correlation_id: call.correlationId ?? call.id,
    reply_to: call.replyTo ?? '',
    delivery_mode: call.persistent === false ? 1 : 2,
    priority: call.priority ?? 0,
  }
  if (call.expiresMs === undefined || options?.fleetVersion === '4.3')
    return call.properties === undefined ? base : { ...base, ...call.properties }
  // RabbitMQ drops the message itself then; it wants milliseconds as text, and none below 0.
  const left = Math.max(Math.ceil(call.expiresMs - (call.nowMs ?? Date.now())), 0)
  return { ...base, expiration: String(left), ...call.properties }
}
