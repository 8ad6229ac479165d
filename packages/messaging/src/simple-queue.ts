import { type AbortableOptions, anySignal, systemClock } from '@celery/promises'
import { BodyCodec } from './codecs.ts'
import { decodeDelivery } from './consumer.ts'
import { Declarations } from './declarations.ts'
import { Exchange } from './exchange.ts'
import { HeldMessages } from './held-messages.ts'
import type { Message } from './message.ts'
import { closeGraceMs, defaultAccept, type ReceiveOptions, warn } from './message-consumer.ts'
import { type MessageOptions, MessageProducer } from './message-producer.ts'
import { Queue } from './queue.ts'

export interface SimpleQueueOptions extends ReceiveOptions {
  /** A queue, or the name of one that is bound to a direct exchange of the same name. */
  readonly queue: Queue | string
  /** How values are written. @defaultValue `json`, but text and bytes as they are */
  readonly serializer?: string | undefined
  /** @defaultValue none */
  readonly compression?: string | undefined
  /** Milliseconds after which an unconfirmed `put` rejects. @defaultValue `10_000` */
  readonly publishTimeoutMs?: number | undefined
}

export interface GetOptions extends AbortableOptions {
  /** Seconds to wait for a message. @defaultValue for ever */
  readonly timeout?: number | undefined
}

/** A queue of messages with the interface of a queue: `put` and `get`. Nothing is fetched ahead. */
export class SimpleQueue implements AsyncDisposable {
  readonly queue: Queue
  readonly #options: SimpleQueueOptions
  readonly #producer: MessageProducer
  readonly #codec: BodyCodec
  readonly #declarations = new Declarations()
  readonly #noAck: boolean
  #opening: Promise<HeldMessages> | undefined

  constructor(options: SimpleQueueOptions) {
    const { queue } = options
    this.queue = typeof queue === 'string' ? durableQueue(queue) : queue
    this.#options = options
    this.#noAck = options.noAck ?? this.queue.noAck
    this.#codec = new BodyCodec(options)
    const { connection, serializers, compressions, serializer, compression, publishTimeoutMs } = options
    const { exchange, routingKey } = this.queue.address
    this.#producer = new MessageProducer({
      connection,
      serializers,
      compressions,
      serializer,
      compression,
      publishTimeoutMs,
      exchange,
      routingKey,
    })
  }

  /** Publishes a value; see `MessageProducer.publish` for errors. */
  async put(body: unknown, options: Omit<MessageOptions, 'exchange' | 'routingKey' | 'declare'> = {}): Promise<void> {
    await this.#producer.publish(body, { ...options, declare: [this.queue] })
  }

  /** The next message, waiting for it; with a `timeout`, `undefined` where none came in time. */
  get(options?: AbortableOptions): Promise<Message>
  get(options: GetOptions): Promise<Message | undefined>
  async get({ signal, timeout }: GetOptions = {}): Promise<Message | undefined> {
    const clock = this.#options.clock ?? systemClock
    const expiry = new AbortController()
    const cancel = timeout === undefined ? undefined : clock.schedule(timeout * 1_000, () => expiry.abort(nothingCame))
    using ended = anySignal(signal, expiry.signal)
    try {
      return await this.#fetch({ signal: ended.signal })
    } catch (error) {
      if (error === nothingCame) return undefined
      throw error
    } finally {
      cancel?.()
    }
  }

  /** The next message, or `undefined` where there is none. */
  async getNoWait(options: AbortableOptions = {}): Promise<Message | undefined> {
    const { ready } = await this.queue.info(this.#options.connection, options)
    // Somebody else may take it meanwhile.
    return ready === 0 ? undefined : this.get({ ...options, timeout: 1 })
  }

  /** How many messages are ready. */
  async size(options?: AbortableOptions): Promise<number> {
    return (await this.queue.info(this.#options.connection, options)).ready
  }

  /** Removes every ready message and resolves to how many there were. */
  async clear(options?: AbortableOptions): Promise<number> {
    return this.queue.purge(this.#options.connection, options)
  }

  /**
   * Waits for what is being put, and gives back what was got and not settled. The connection stays open: it belongs to
   * whoever made it. Safe twice.
   */
  async close(): Promise<void> {
    await this.#producer.close()
    // One that could not be opened holds nothing, and has told whoever got from it.
    const held = await this.#opening?.catch(() => undefined)
    await held?.close(closeGraceMs)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #fetch({ signal }: { readonly signal: AbortSignal }): Promise<Message> {
    this.#opening ??= this.#open()
    const held = await this.#opening
    const [delivery] = await this.#options.connection.ensure(
      async (broker) => {
        await this.#declarations.declare(broker, [this.queue], { signal })
        return broker.fetch([this.queue.name], { max: 1, signal })
      },
      { signal },
    )
    if (delivery === undefined) throw new Error('a fetch resolved to no message; the driver promises at least one')
    const message = held.admit(decodeDelivery(delivery))
    if (this.#noAck) void message.ack()
    return message
  }

  async #open(): Promise<HeldMessages> {
    const { accept = defaultAccept, clock, connection, onError = warn } = this.#options
    const accepted = await this.#codec.accept(accept)
    return new HeldMessages({ connection, codec: this.#codec, accept: accepted, clock, onError, onRoom: () => {} })
  }
}

/** A `SimpleQueue` for what need not last: gone with its last user, and acknowledged when it is got. */
export class SimpleBuffer extends SimpleQueue {
  constructor(options: SimpleQueueOptions) {
    const { queue } = options
    super({ noAck: true, ...options, queue: typeof queue === 'string' ? transientQueue(queue) : queue })
  }
}

function durableQueue(name: string): Queue {
  return new Queue(name, { exchange: new Exchange(name), routingKey: name })
}

function transientQueue(name: string): Queue {
  const exchange = new Exchange(name, { durable: false, autoDelete: true, deliveryMode: 'transient' })
  return new Queue(name, { exchange, routingKey: name, durable: false, autoDelete: true })
}

const nothingCame = new Error('no message came in time')
