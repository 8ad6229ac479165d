import { hostname } from 'node:os'
import type { PlannedCall } from '@celery/canvas'
import { assertEnvelopeSize, encodeTaskMessage, isWritableTime, parseIsoTime } from '@celery/protocol'
import { type CompressionRegistry, type SerializerRegistry, stringifyJson } from '@celery/serialization'
import type { Publication } from '@celery/transport'
import { TaskOptionError } from './app-errors.ts'
import { assertOptions, assertReceivable } from './check-call.ts'
import type { Router } from './router.ts'
import type { Settings } from './settings.ts'
import type { RegisteredTask, TaskOptions } from './task.ts'
import type { TaskRequest } from './task-context.ts'

export interface OutgoingOptions {
  readonly settings: Readonly<Settings>
  readonly router: Router
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
  /** Options of a task that is registered here. */
  readonly task: (name: string) => RegisteredTask | undefined
  readonly now?: () => number
}

/** Names that mean something here; every other option travels as a message property, as in Celery. */
const ownOptions: ReadonlySet<string> = new Set([
  'task_id',
  'reply_to',
  'root_id',
  'parent_id',
  'group_id',
  'group_index',
  'queue',
  'exchange',
  'routing_key',
  'priority',
  'countdown',
  'eta',
  'expires',
  'serializer',
  'compression',
  'time_limit',
  'soft_time_limit',
  'ignore_result',
  'headers',
  'shadow',
  'argsrepr',
  'kwargsrepr',
  'retry',
  'retry_policy',
  'retries',
  'delivery_mode',
  'link',
  'link_error',
  'chord',
  'kwargs',
  'stamped_headers',
  'replaced_task_nesting',
])

/** Turns calls into messages: everything about a call is decided here, nothing is sent. */
export class Outgoing {
  readonly #options: OutgoingOptions
  readonly #now: () => number
  /** `gen<pid>@<host>`, what Celery calls a producer. */
  readonly #origin = `gen${process.pid}@${hostname()}`

  constructor(options: OutgoingOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /**
   * The message of `call`, addressed. A call made inside of a task is that task's child.
   * @throws TaskOptionError for what no worker would take; EncodeError for arguments that are not data;
   * TaskMessageTooLargeError.
   */
  publication(call: PlannedCall, parent: TaskRequest | undefined): Publication {
    const { settings, router, serializers, compressions } = this.#options
    const task = this.#options.task(call.task)?.options
    const { options } = call
    assertOptions(call)
    const destination = router.route(call.task, routeOptions(options, task))
    const { priority = 0 } = destination
    if (!Number.isInteger(priority)) throw TaskOptionError.expected(call.task, 'priority', 'an integer', priority)
    const nowMs = this.#now()
    const etaMs = this.#eta(call, nowMs)
    const expiresMs = this.#expires(call, task, nowMs)
    const rootId = call.rootId ?? parent?.rootId
    const properties = extraProperties(options)
    const message = encodeTaskMessage({
      task: call.task,
      id: call.taskId,
      origin: this.#origin,
      args: call.args,
      kwargs: call.kwargs,
      callbacks: call.callbacks,
      errbacks: call.errbacks,
      chain: call.chain,
      nowMs,
      parentId: call.parentId ?? parent?.id ?? null,
      groupId: options.group_id ?? null,
      groupIndex: options.group_index ?? null,
      timeLimit: options.time_limit ?? null,
      softTimeLimit: options.soft_time_limit ?? null,
      ignoreResult: options.ignore_result ?? task?.ignoreResult ?? settings.taskIgnoreResult,
      priority,
      persistent: options.delivery_mode !== 1,
      ...(rootId === undefined ? undefined : { rootId }),
      ...(etaMs === undefined ? undefined : { etaMs }),
      ...(expiresMs === undefined ? undefined : { expiresMs }),
      ...(typeof options.retries === 'number' ? { retries: options.retries } : undefined),
      ...(typeof options.shadow === 'string' ? { shadow: options.shadow } : undefined),
      ...(typeof options.argsrepr === 'string' ? { argsrepr: options.argsrepr } : undefined),
      ...(typeof options.kwargsrepr === 'string' ? { kwargsrepr: options.kwargsrepr } : undefined),
      ...(options.reply_to === undefined ? undefined : { replyTo: options.reply_to }),
      ...(options.headers === undefined ? undefined : { headers: options.headers }),
      ...(properties === undefined ? undefined : { properties }),
    })
    assertReceivable(call, message, properties)
    let { body, contentType, contentEncoding } = serializers.encode(
      message.body,
      options.serializer ?? task?.serializer ?? settings.taskSerializer,
    )
    let { headers } = message
    const compression = typeof options.compression === 'string' ? options.compression : settings.taskCompression
    if (compression !== undefined) {
      const compressed = compressions.compress(body, compression)
      body = compressed.body
      headers = { ...headers, compression: compressed.contentType }
    }
    const encoded = { headers, properties: message.properties, body, contentType, contentEncoding }
    const { exchange, routingKey } = destination
    assertEnvelopeSize(encoded, exchange, routingKey, ownLength(options, properties))
    return {
      exchange,
      routingKey,
      // A task that no queue takes must not be lost without a word.
      mandatory: true,
      message: encoded,
      ...(etaMs === undefined || etaMs <= nowMs ? undefined : { notBeforeMs: etaMs }),
    }
  }

  #eta({ task, options }: PlannedCall, nowMs: number): number | undefined {
    const { countdown, eta } = options
    if (countdown !== undefined) return later(task, 'countdown', countdown, nowMs)
    return eta === undefined ? undefined : moment(task, 'eta', eta)
  }

  #expires({ task, options }: PlannedCall, defaults: TaskOptions | undefined, nowMs: number): number | undefined {
    const expires = options.expires ?? defaults?.expires
    if (expires === undefined) return undefined
    return typeof expires === 'number' ? later(task, 'expires', expires, nowMs) : moment(task, 'expires', expires)
  }
}

/** So many seconds from now. */
function later(task: string, option: string, seconds: number, nowMs: number): number {
  const ms = nowMs + seconds * 1_000
  if (!Number.isFinite(seconds)) throw TaskOptionError.expected(task, option, 'a finite number of seconds', seconds)
  if (!isWritableTime(ms)) throw TaskOptionError.expected(task, option, 'a time of the years 1 to 9999', seconds)
  return ms
}

function moment(task: string, option: string, value: unknown): number {
  const ms = typeof value === 'string' ? parseIsoTime(value) : undefined
  if (ms === undefined) throw TaskOptionError.expected(task, option, 'a Date or an ISO 8601 time', value)
  if (!isWritableTime(ms)) throw TaskOptionError.expected(task, option, 'a time of the years 1 to 9999', value)
  return ms
}

/** Characters that the caller wrote into headers and properties, where they can be many. */
function ownLength({ headers, argsrepr, kwargsrepr }: PlannedCall['options'], properties: object | undefined): number {
  let length = 0
  for (const text of [argsrepr, kwargsrepr]) if (typeof text === 'string') length += text.length
  for (const data of [headers, properties]) if (data !== undefined) length += stringifyJson(data).length
  return length
}

function routeOptions(options: PlannedCall['options'], task: TaskOptions | undefined) {
  const queue = options.queue ?? (options.exchange === undefined ? task?.queue : undefined)
  const priority = options.priority ?? task?.priority
  return {
    ...(queue === undefined ? undefined : { queue }),
    ...(options.exchange === undefined ? undefined : { exchange: options.exchange }),
    ...(options.routing_key === undefined ? undefined : { routingKey: options.routing_key }),
    ...(priority === undefined ? undefined : { priority }),
  }
}

function extraProperties(options: PlannedCall['options']): Record<string, unknown> | undefined {
  let extra: Record<string, unknown> | undefined
  for (const name in options) {
    if (ownOptions.has(name)) continue
    extra ??= {}
    extra[name] = options[name]
  }
  return extra
}
