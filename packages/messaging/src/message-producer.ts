import { defaultRetryPolicy, type RetryPolicy, withDeadline } from '@celery/promises'
import type { MessageProperties } from '@celery/protocol'
import {
  type BrokerConnection,
  delaysPublications,
  type Publication,
  UnsupportedByTransportError,
} from '@celery/transport'
import { checkPriority } from './check-priority.ts'
import { BodyCodec, type CodecOptions } from './codecs.ts'
import type { Connection } from './connection.ts'
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
  /** 0 to 255; a broker with fewer levels takes what is above its last one for that. Which end is urgent, its `capabilities` say. */
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
  /**
   * Milliseconds since 1970 before which it is not delivered. Rejects with an `UnsupportedByTransportError` where the broker
   * cannot hold back what is published (`capabilities.delay`, `delayedPublish`): Redis, for example, leaves that to workers,
   * and knows nothing of when any other message is due.
   */
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

  constructor(options: MessageProducerOptions) {
    this.#options = options
    this.#codec = new BodyCodec(options)
    const { connection, publishTimeoutMs, retryPolicy = {} } = options
    this.#producer = new Producer({
      connection,
      retryPolicy: completePolicy(retryPolicy) ?? undefined,
      ...(publishTimeoutMs === undefined ? {} : { publishTimeoutMs }),
    })
  }

  /**
   * Resolves when the broker has the message.
   * @throws EncodeError, UnknownSerializerError, UnknownCompressionError, CodecUnavailableError, RangeError for a priority that
   * is none: nothing was sent.
   * @throws UnknownExchangeError, ExchangeMismatchError, UnroutableError: the broker did not take it.
   * @throws PublishTimeoutError where it did not confirm in time: the message may or may not be there.
   * @throws ConnectionLostError where it could not be reached within the retry policy.
   */
  async publish(body: unknown, options: MessageOptions = {}): Promise<void> {
    const exchange = options.exchange ?? this.#options.exchange ?? ''
    const publication = await this.#publication(body, exchange, options)
    const { retryPolicy, timeoutMs } = options
    if (options.notBeforeMs !== undefined) await this.#checkDelay(publication, timeoutMs)
    await this.#producer.publish(publication, {
      timeoutMs,
      retryPolicy: retryPolicy === undefined ? undefined : completePolicy(retryPolicy),
      declare: this.#entities(exchange, options),
    })
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

  /** Whoever gets the message knows of no time but the broker's. */
  #checkDelay(publication: Publication, timeoutMs = this.#options.publishTimeoutMs ?? 10_000): Promise<void> {
    const { connection } = this.#options
    const check = async ({ capabilities }: BrokerConnection): Promise<void> => {
      if (delaysPublications(capabilities)) return
      throw new UnsupportedByTransportError(
        connection.server.scheme,
        'publishing messages that are held back until a time',
      )
    }
    return withDeadline(
      (signal) => connection.ensure(check, { signal }),
      timeoutMs,
      () => new PublishTimeoutError(timeoutMs, publication),
    )
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
}

function propertiesOf(exchange: Exchange | string, options: MessageOptions): MessageProperties {
  const { priority, expiration, correlationId, replyTo } = options
  const mode = options.deliveryMode ?? (typeof exchange === 'string' ? 'persistent' : exchange.deliveryMode)
  return {
    ...options.properties,
    delivery_mode: mode === 'transient' ? 1 : 2,
    ...(priority === undefined ? {} : { priority: checkPriority('the priority of a message', priority) }),
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
