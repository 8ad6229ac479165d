import { CeleryError } from '@celery/promises'
import type { DeliveryInfo, MessageProperties, WireMessage } from '@celery/protocol'
import type { SettleAction } from '@celery/transport'
import type { BodyCodec } from './codecs.ts'
import type { IncomingMessage } from './consumer.ts'

/** How a message can end for whoever received it. */
export type MessageState = 'received' | 'acknowledged' | 'rejected' | 'requeued'

/** What a message needs of whoever received it. @internal */
export interface MessageOwner {
  readonly codec: BodyCodec
  readonly accept: ReadonlySet<string>
  /** Resolves to whether the broker took it. */
  settle(message: Message, action: SettleAction): Promise<boolean>
}

/**
 * A message that was received. Its body is decoded when it is first asked for. It must be settled once: `ack`, `reject`
 * or `requeue`; until then the broker keeps it for this receiver.
 */
export class Message {
  /** The queue it came from. */
  readonly queue: string
  /** How often it was delivered before and came back. */
  readonly redeliveries: number
  /** In a dead-letter queue: why it is there. */
  readonly deadReason: string | undefined
  /** As it came, serialized and maybe compressed. Empty where the message could not be read at all. */
  readonly body: string | Uint8Array
  readonly contentType: string
  readonly contentEncoding: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: MessageProperties
  readonly #owner: MessageOwner
  /** Why nothing of it could be read. */
  readonly #error: Error | undefined
  #state: MessageState = 'received'
  #decoded: { readonly value: unknown } | undefined

  /** @internal */
  constructor({ delivery, message = unreadable, error }: IncomingMessage, owner: MessageOwner) {
    this.queue = delivery.queue
    this.redeliveries = delivery.redeliveries
    this.deadReason = delivery.deadReason
    this.body = message.body
    this.contentType = message.contentType
    this.contentEncoding = message.contentEncoding
    this.headers = message.headers
    this.properties = message.properties
    this.#owner = owner
    this.#error = error
  }

  /** The exchange and routing key it was published to. */
  get deliveryInfo(): DeliveryInfo | undefined {
    return this.properties.delivery_info
  }

  get state(): MessageState {
    return this.#state
  }

  /** Whether it was acknowledged, rejected or requeued; kombu's `acknowledged`. */
  get isSettled(): boolean {
    return this.#state !== 'received'
  }

  /**
   * The decoded body. What is not accepted here is not looked at.
   * @throws ContentDisallowedError, UnknownSerializerError, UnknownCompressionError, DecodeError; InvalidEnvelopeError
   * where nothing of the message could be read; CodecUnavailableError where a compression is not in memory: use `decode()`.
   */
  get payload(): unknown {
    if (this.#error !== undefined) throw this.#error
    this.#decoded ??= { value: this.#owner.codec.decode(this, this.#owner.accept) }
    return this.#decoded.value
  }

  /** As `payload`, but brings codecs into memory that are loaded on demand. */
  async decode(): Promise<unknown> {
    if (this.#decoded === undefined) await this.#owner.codec.prepare(this)
    return this.payload
  }

  /**
   * It is done with. Resolves when the broker has answered, to `false` where the message was no longer ours: somebody else
   * has it, or will get it. Repeated by itself until the broker answers; once the receiver or its connection is closed by its
   * owner no answer comes any more, and it resolves to `false` too.
   * @throws MessageStateError where it was settled before.
   */
  ack(): Promise<boolean> {
    return this.#settle('acknowledged', { type: 'ack' })
  }

  /**
   * It cannot be dealt with: goes to the dead-letter queue, `<queue>.dead`, with the reason.
   * @throws MessageStateError where it was settled before.
   */
  reject(options: { readonly reason?: string } = {}): Promise<boolean> {
    return this.#settle('rejected', { type: 'dead', reason: options.reason ?? 'rejected by its receiver' })
  }

  /**
   * Back to its place in the queue, counted as one more delivery.
   * @throws MessageStateError where it was settled before.
   */
  requeue(): Promise<boolean> {
    return this.#settle('requeued', { type: 'requeue', counted: true })
  }

  async #settle(state: MessageState, action: SettleAction): Promise<boolean> {
    if (this.isSettled) throw new MessageStateError(this.queue, this.#state)
    this.#state = state
    return this.#owner.settle(this, action)
  }
}

/** What stands for a message that could not be read. */
const unreadable: WireMessage = {
  body: '',
  contentType: 'application/data',
  contentEncoding: 'binary',
  headers: {},
  properties: {},
}

/** A message was settled a second time. Look at `message.isSettled` where several could do it. */
export class MessageStateError extends CeleryError {
  override readonly name = 'MessageStateError'
  readonly code = 'ERR_CELERY_MESSAGE_STATE'
  readonly queue: string
  /** How it was settled before. */
  readonly state: MessageState

  constructor(queue: string, state: MessageState) {
    super(`a message from queue "${queue}" was already ${state}; settle it once, or ask isSettled before`)
    this.queue = queue
    this.state = state
  }
}
