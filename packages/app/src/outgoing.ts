import { hostname } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import type { PlannedCall } from '@celery/canvas'
import type { Exchange, PublishOptions, Queue } from '@celery/messaging'
import {
  assertEnvelopeSize,
  encodeTaskMessage,
  encodeTaskMessageV1,
  type TaskMessage,
  type TaskMessageV1,
} from '@celery/protocol'
import { type CompressionRegistry, type SerializerRegistry, stringifyJson } from '@celery/serialization'
import type { Publication } from '@celery/transport'
import type { AppCodecs } from './app-codecs.ts'
import type { AppSignals } from './app-signals.ts'
import { routeOf } from './call-route.ts'
import { assertOptions, assertReceivable, assertStillReceivable } from './check-call.ts'
import { type Delivery, publishOptions } from './delivery.ts'
import { namingArguments } from './encode-error.ts'
import { publishPolicy } from './publish-policy.ts'
import type { Destination, Router } from './router.ts'
import type { Settings } from './settings.ts'
import type { RegisteredTask } from './task.ts'
import { taskCallOf } from './task-call.ts'
import type { TaskRequest } from './task-request.ts'
import type { TaskRoute } from './task-routes.ts'

export interface OutgoingOptions {
  readonly settings: Readonly<Settings>
  readonly router: Router
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
  readonly codecs: AppCodecs
  readonly signals: AppSignals
  /** A task that is registered here. */
  readonly task: (name: string) => RegisteredTask | undefined
  readonly now?: () => number
}

/** What is to be sent, and how. */
export interface OutgoingMessage {
  readonly publication: Publication
  /** `undefined` where it is sent as the settings say. */
  readonly publish: PublishOptions | undefined
  /** Its body, before it was encoded. */
  readonly body: TaskMessage['body'] | TaskMessageV1['body']
}

/** A message whose body is not encoded yet. */
interface Draft {
  readonly call: PlannedCall
  readonly message: TaskMessage | TaskMessageV1
  readonly exchange: string
  readonly routingKey: string
  readonly route: TaskRoute
  readonly publish: PublishOptions | undefined
  readonly notBeforeMs: number | undefined
}

const noDelivery: Delivery = {}

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
   * The message of `call`, addressed. A call made inside of a task is that task's child. A promise only where something
   * has to be waited for: a module of the routes, a receiver of `beforeTaskPublish`, a codec that is not in memory.
   * @throws TaskOptionError for what no worker would take; EncodeError for arguments that are not data;
   * QueueNotFoundError; TaskMessageTooLargeError.
   */
  message(
    call: PlannedCall,
    parent: TaskRequest | undefined,
    delivery: Delivery = noDelivery,
  ): OutgoingMessage | Promise<OutgoingMessage> {
    const loading = this.#options.router.load()
    if (loading !== undefined) return loading.then(() => this.#announced(this.#draft(call, parent, delivery)))
    return this.#announced(this.#draft(call, parent, delivery))
  }

  /** The messages of what follows from a task, in order. Throws and waits as `message` does. */
  followUps(
    calls: readonly PlannedCall[],
    parent: TaskRequest,
  ): readonly Publication[] | Promise<readonly Publication[]> {
    const publications: Publication[] = []
    for (const [index, call] of calls.entries()) {
      const message = this.#followUp(call, parent)
      // One after the other: of two that are made at once, the second may throw while nobody waits for the first.
      if (message instanceof Promise) return this.#laterFollowUps(publications, message, calls.slice(index + 1), parent)
      publications.push(message.publication)
    }
    return publications
  }

  /** @throws QueueNotFoundError where nothing may be sent to a queue of that name. */
  assertQueue(name: string): void {
    this.#options.router.assertQueue(name)
  }

  /** The message of a call that is run where it is made: it goes nowhere, and nobody is told. Throws and waits as `message` does. */
  local(call: PlannedCall, parent: TaskRequest | undefined): OutgoingMessage | Promise<OutgoingMessage> {
    const task = this.#options.task(call.task)
    assertOptions(call)
    const route = routeOf(call, task?.options, noDelivery)
    const nowhere: Destination = {
      exchange: '',
      routingKey: call.options.queue ?? '',
      declare: [],
      route,
      isTransient: false,
    }
    return this.#encoded(this.#drafted(call, parent, nowhere, undefined, 2))
  }

  #followUp(call: PlannedCall, parent: TaskRequest): OutgoingMessage | Promise<OutgoingMessage> {
    return parent.isEager ? this.local(call, parent) : this.message(call, parent)
  }

  async #laterFollowUps(
    made: readonly Publication[],
    next: Promise<OutgoingMessage>,
    rest: readonly PlannedCall[],
    parent: TaskRequest,
  ): Promise<readonly Publication[]> {
    const publications = [...made, (await next).publication]
    for (const call of rest) publications.push((await this.#followUp(call, parent)).publication)
    return publications
  }

  #draft(call: PlannedCall, parent: TaskRequest | undefined, delivery: Delivery): Draft {
    const { router, settings, task: taskOf } = this.#options
    const task = taskOf(call.task)
    assertOptions(call)
    const { args, kwargs, options } = call
    const destination = router.route({
      name: typeof options['route_name'] === 'string' ? options['route_name'] : call.task,
      args,
      kwargs,
      options: routeOf(call, task?.options, delivery),
      task,
    })
    const publish = publishOptions(call, delivery, delivery.declare ?? destination.declare, settings)
    return this.#drafted(call, parent, destination, publish, settings.taskProtocol)
  }

  #drafted(
    call: PlannedCall,
    parent: TaskRequest | undefined,
    destination: Destination,
    publish: PublishOptions | undefined,
    protocol: 1 | 2,
  ): Draft {
    const { settings, task: taskOf } = this.#options
    const { exchange, route, routingKey } = destination
    const nowMs = this.#now()
    const task = taskOf(call.task)
    const taskCall = taskCallOf(call, { parent, destination, task, settings, nowMs, origin: this.#origin })
    const message = encodeTaskMessage(taskCall, settings)
    assertReceivable(call, message, taskCall.properties)
    return {
      call,
      message: protocol === 1 ? encodeTaskMessageV1(taskCall, settings) : message,
      exchange,
      routingKey,
      route,
      publish,
      notBeforeMs: taskCall.etaMs === undefined || taskCall.etaMs <= nowMs ? undefined : taskCall.etaMs,
    }
  }

  /** Lets the receivers of `beforeTaskPublish` have their say. */
  #announced(draft: Draft): OutgoingMessage | Promise<OutgoingMessage> {
    const { beforeTaskPublish } = this.#options.signals
    if (!beforeTaskPublish.hasListeners) return this.#encoded(draft)
    const { settings } = this.#options
    const { call, exchange, message, publish, routingKey } = draft
    const usual = settings.taskPublishRetry ? publishPolicy(settings) : null
    const retryPolicy = publish?.retryPolicy === undefined ? usual : publish.retryPolicy
    const event = {
      sender: call.task,
      exchange,
      routingKey,
      body: message.body,
      headers: { ...message.headers },
      properties: { ...message.properties },
      declare: [...(publish?.declare ?? noEntities)],
      retryPolicy: retryPolicy && { ...retryPolicy },
    }
    const changed = (): OutgoingMessage | Promise<OutgoingMessage> => {
      const { declare, headers, properties } = event
      const changedMessage = { ...message, headers, properties } as TaskMessage
      assertStillReceivable(call.task, changedMessage)
      return this.#encoded({
        ...draft,
        message: changedMessage,
        exchange: event.exchange,
        routingKey: event.routingKey,
        // With a policy of its own it could not travel together with others.
        publish: isDeepStrictEqual(event.retryPolicy, retryPolicy)
          ? { ...publish, declare }
          : { ...publish, declare, retryPolicy: event.retryPolicy },
      })
    }
    return beforeTaskPublish.send(event)?.then(changed) ?? changed()
  }

  #encoded(draft: Draft): OutgoingMessage | Promise<OutgoingMessage> {
    const { codecs, settings } = this.#options
    const { compression = settings.taskCompression, serializer = settings.taskSerializer } = draft.route
    return codecs.prepareToWrite(serializer, compression)?.then(() => this.#encode(draft)) ?? this.#encode(draft)
  }

  #encode({ call, exchange, message, notBeforeMs, publish, route, routingKey }: Draft): OutgoingMessage {
    const { compressions, serializers, settings } = this.#options
    const { compression = settings.taskCompression, mandatory = true, serializer = settings.taskSerializer } = route
    let { body, contentType, contentEncoding } = namingArguments(call, this.#options.task(call.task), () =>
      serializers.encode(message.body, serializer),
    )
    let headers: Readonly<Record<string, unknown>> = message.headers
    if (compression !== undefined) {
      const compressed = compressions.compress(body, compression)
      body = compressed.body
      headers = { ...headers, compression: compressed.contentType }
    }
    const { properties } = message
    const encoded = { headers, properties, body, contentType, contentEncoding }
    assertEnvelopeSize(encoded, exchange, routingKey, ownLength(call.options, properties))
    return {
      publication: {
        exchange,
        routingKey,
        // A task that no queue takes must not be lost without a word.
        mandatory,
        message: encoded,
        ...(notBeforeMs === undefined ? undefined : { notBeforeMs }),
      },
      publish,
      body: message.body,
    }
  }
}

const noEntities: readonly (Exchange | Queue)[] = []

/** Characters that the caller wrote into headers and properties, where they can be many. */
function ownLength({ headers, argsrepr, kwargsrepr }: PlannedCall['options'], properties: object): number {
  let length = 0
  for (const text of [argsrepr, kwargsrepr]) if (typeof text === 'string') length += text.length
  if (headers !== undefined) length += stringifyJson(headers).length
  for (const [name, value] of Object.entries(properties)) length += name.length + lengthOf(value)
  return length
}

/** As JSON, but for what has to be escaped. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  return typeof value === 'number' ? 0 : stringifyJson(value).length
}
