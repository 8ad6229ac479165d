import { CeleryError, defaultRetryPolicy, type RetryPolicy, withDeadline } from '@celery/promises'
import type { MessageProperties } from '@celery/protocol'
import type { BrokerConnection, Publication } from '@celery/transport'
import { BodyCodec, type CodecOptions } from './codecs.ts'
import type { Connection } from './connection.ts'
import { Declarations } from './declarations.ts'
import type { DeliveryMode, Exchange } from './exchange.ts'
import type { Message } from './message.ts'
import { Producer, type PublishRetryPolicy, PublishTimeoutError } from './producer.ts'
import type { Queue } from './queue.ts'

/** Options that a message takes from its producer where it does not say otherwise. */
export interface MessageDefaults {
  /** Where to publish to; declared first where it is an `Exchange`. @defaultValue the default exchange */
  readonly exchange?: Exchange | string | undefined
  /** @defaultValue `''` */
  readonly routingKey?: string | undefined
  /** How values are written. @defaultValue `json`, but text and bytes as they are */
  readonly serializer?: string | undefined
  /** @defaultValue none */
  readonly compression?: string | undefined
}

export interface MessageProducerOptions extends MessageDefaults, CodecOptions {
  readonly connection: Connection
  /** Declares an `Exchange` before the first message to it, on every new connection. @defaultValue `true` */
  readonly autoDeclare?: boolean | undefined
  /** Milliseconds after which an unconfirmed publish rejects, retries and declarations included. @defaultValue `10_000` */
  readonly publishTimeoutMs?: number | undefined
  /** How often to try again where the broker is away, in seconds; `null` does not. @defaultValue Celery's: at once, then after 0.2 and 0.4 s */
  readonly retryPolicy?: RetryPolicy | null | undefined
}

export interface MessageOptions extends MessageDefaults {
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  /** 0 to 9. Which end is urgent is the broker's affair, see its `capabilities`. */
  readonly priority?: number | undefined
  /** Seconds after which RabbitMQ drops the message unread. Brokers without such a property pass over it. */
  readonly expiration?: number | undefined
  /** Whether the message survives a restart of the broker. @defaultValue what the exchange says, else `'persistent'` */
  readonly deliveryMode?: DeliveryMode | undefined
  /** Rejects with an `UnroutableError` where no queue takes the message, which is dropped otherwise. @defaultValue `false` */
  readonly mandatory?: boolean | undefined
  /** For a body that is text or bytes of a format of their own: it is not serialized. */
  readonly contentType?: string | undefined
  /** @defaultValue `utf-8` for text, `binary` for bytes */
  readonly contentEncoding?: string | undefined
  /** Which message this one answers. */
  readonly correlationId?: string | undefined
  /** The queue for answers. */
  readonly replyTo?: string | undefined
  /** Further properties, in AMQP's spelling. */
  readonly properties?: MessageProperties | undefined
  /** Declared before the message is published, once for each connection: a queue nobody has declared gets nothing. */
  readonly declare?: readonly (Exchange | Queue)[] | undefined
  /** Milliseconds since 1970 before which it is not delivered. Needs `capabilities.delay`. */
  readonly notBeforeMs?: number | undefined
  /** Milliseconds after which it rejects. @defaultValue the producer's */
  readonly timeoutMs?: number | undefined
  /** @defaultValue the producer's */
  readonly retryPolicy?: RetryPolicy | null | undefined
}

/** Publishes values: serialized, compressed, to exchanges that are declared on the way. Kombu's `Producer`. */
export class MessageProducer implements AsyncDisposable {
  readonly #options: MessageProducerOptions
  readonly #codec: BodyCodec
  readonly #producer: Producer
  readonly #declarations = new Declarations()
  readonly #publishTimeoutMs: number
  readonly #retryPolicy: PublishRetryPolicy | null

  constructor(options: MessageProducerOptions) {
    this.#options = options
    this.#codec = new BodyCodec(options)
    this.#publishTimeoutMs = options.publishTimeoutMs ?? 10_000
    this.#retryPolicy = completePolicy(options.retryPolicy === undefined ? {} : options.retryPolicy)
    this.#producer = new Producer({
      connection: options.connection,
      publishTimeoutMs: this.#publishTimeoutMs,
      retryPolicy: this.#retryPolicy ?? undefined,
    })
  }

  /**
   * Resolves when the broker has the message.
   * @throws EncodeError, UnknownSerializerError, UnknownCompressionError, CodecUnavailableError: nothing was sent.
   * @throws UnknownExchangeError, ExchangeMismatchError, UnroutableError: the broker did not take it.
   * @throws PublishTimeoutError where it did not confirm in time: the message may or may not be there.
   * @throws ConnectionLostError where it could not be reached within the retry policy.
   */
  async publish(body: unknown, options: MessageOptions = {}): Promise<void> {
    const deadline = performance.now() + (options.timeoutMs ?? this.#publishTimeoutMs)
    const exchange = options.exchange ?? this.#options.exchange ?? ''
    const publication = await this.#publication(body, exchange, options)
    const entities = this.#entities(exchange, options)
    const { live } = this.#options.connection
    if (this.#declarations.has(live, entities)) {
      try {
        await this.#producer.publish(publication, {
          timeoutMs: options.timeoutMs,
          retryPolicy: options.retryPolicy === undefined ? undefined : completePolicy(options.retryPolicy),
        })
        return
      } catch (error) {
        // Deleted since, or lost with a restart of the broker.
        if (entities.length === 0 || !CeleryError.is(error, 'ERR_CELERY_UNKNOWN_EXCHANGE')) throw error
        this.#declarations.forget(this.#options.connection.live, entities)
      }
    }
    await this.#declareAndPublish(entities, publication, options, deadline)
  }

  /**
   * Publishes an answer to the queue that `request` names for answers, with its correlation id.
   * @throws RangeError where it names none.
   */
  async reply(request: Message, body: unknown, options: MessageOptions = {}): Promise<void> {
    const { reply_to: replyTo, correlation_id: correlationId } = request.properties
    if (typeof replyTo !== 'string' || replyTo === '') {
      throw new RangeError('the message asks for no answer: it was published without replyTo')
    }
    await this.publish(body, {
      correlationId: typeof correlationId === 'string' ? correlationId : undefined,
      ...options,
      exchange: '',
      routingKey: replyTo,
    })
  }

  /** Waits for what is under way. The connection stays open: it belongs to whoever made it. Safe twice. */
  async close(): Promise<void> {
    await this.#producer.idle()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #publication(body: unknown, exchange: Exchange | string, options: MessageOptions): Promise<Publication> {
    const encoded = await this.#codec.encode(body, {
      serializer: options.serializer ?? this.#options.serializer,
      compression: options.compression ?? this.#options.compression,
      contentType: options.contentType,
      contentEncoding: options.contentEncoding,
    })
    const { compression, ...content } = encoded
    const { headers = {}, mandatory, notBeforeMs } = options
    return {
      exchange: typeof exchange === 'string' ? exchange : exchange.name,
      routingKey: options.routingKey ?? this.#options.routingKey ?? '',
      message: {
        ...content,
        headers: compression === undefined ? headers : { ...headers, compression },
        properties: propertiesOf(exchange, options),
      },
      ...(mandatory === undefined ? {} : { mandatory }),
      ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
    }
  }

  #entities(exchange: Exchange | string, { declare = [] }: MessageOptions): readonly (Exchange | Queue)[] {
    return typeof exchange === 'object' && this.#options.autoDeclare !== false ? [exchange, ...declare] : declare
  }

  /** Both within the same time. */
  async #declareAndPublish(
    entities: readonly (Exchange | Queue)[],
    publication: Publication,
    options: MessageOptions,
    deadline: number,
  ): Promise<void> {
    const timeout = new PublishTimeoutError(options.timeoutMs ?? this.#publishTimeoutMs, publication)
    const retryPolicy = options.retryPolicy === undefined ? this.#retryPolicy : completePolicy(options.retryPolicy)
    await withDeadline(
      (signal) => this.#declare(entities, retryPolicy, signal),
      Math.max(0, deadline - performance.now()),
      () => timeout,
    )
    try {
      await this.#producer.publish(publication, { retryPolicy, timeoutMs: Math.max(0, deadline - performance.now()) })
    } catch (error) {
      throw CeleryError.is(error, 'ERR_CELERY_PUBLISH_TIMEOUT') ? timeout : error
    }
  }

  async #declare(
    entities: readonly (Exchange | Queue)[],
    retryPolicy: PublishRetryPolicy | null,
    signal: AbortSignal,
  ): Promise<void> {
    const declare = (broker: BrokerConnection): Promise<void> =>
      this.#declarations.declare(broker, entities, { signal })
    await this.#options.connection.ensure(declare, { retryPolicy: retryPolicy ?? { maxRetries: 0 }, signal })
  }
}

function propertiesOf(exchange: Exchange | string, options: MessageOptions): MessageProperties {
  const { priority, expiration, correlationId, replyTo } = options
  const mode = options.deliveryMode ?? (typeof exchange === 'string' ? 'persistent' : exchange.deliveryMode)
  return {
    ...options.properties,
    delivery_mode: mode === 'transient' ? 1 : 2,
    ...(priority === undefined ? {} : { priority }),
    // As kombu: whole milliseconds, as text.
    ...(expiration === undefined ? {} : { expiration: String(Math.floor(expiration * 1_000)) }),
    ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
    ...(replyTo === undefined ? {} : { reply_to: replyTo }),
  }
}

function completePolicy(policy: RetryPolicy | null): PublishRetryPolicy | null {
  if (policy === null) return null
  const { maxRetries, intervalStart, intervalStep, intervalMax } = policy
  return {
    maxRetries: maxRetries === undefined ? defaultRetryPolicy.maxRetries : maxRetries,
    intervalStart: intervalStart ?? defaultRetryPolicy.intervalStart,
    intervalStep: intervalStep ?? defaultRetryPolicy.intervalStep,
    intervalMax: intervalMax ?? defaultRetryPolicy.intervalMax,
  }
}
