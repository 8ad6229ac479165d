import { type AbortableOptions, abortable, type Clock, type Deferred, deferred } from '@celery/promises'
import type { BrokerConnection } from '@celery/transport'
import { BodyCodec, type CodecOptions } from './codecs.ts'
import type { Connection } from './connection.ts'
import { Consumer, type IncomingMessage } from './consumer.ts'
import { HeldMessages } from './held-messages.ts'
import type { Message } from './message.ts'
import type { Queue } from './queue.ts'

export interface ReceiveOptions extends CodecOptions {
  readonly connection: Connection
  /** Names or content types of the serializers that are accepted. @defaultValue `['json', 'text', 'raw']` */
  readonly accept?: readonly string[] | undefined
  /** Messages are acknowledged when they are handed out. @defaultValue what each queue says */
  readonly noAck?: boolean | undefined
  /** Told what fails and is repeated: a lost connection, a settlement. @defaultValue `process.emitWarning` */
  readonly onError?: ((error: unknown) => void) | undefined
  /** For tests. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

export interface MessageConsumerOptions extends ReceiveOptions {
  /** Declared on every new connection, with their exchanges and bindings. */
  readonly queues: readonly Queue[]
  /** Most messages that are fetched and not settled. @defaultValue `100` */
  readonly prefetch?: number | undefined
  /** Whether bodies are decoded before a message is handed out; otherwise when `payload` is read. @defaultValue `true` */
  readonly decode?: boolean | undefined
  /**
   * Told of a message that cannot be decoded or is not accepted, which is not handed out. Where it does not settle it,
   * the message is rejected. @defaultValue tells `onError`
   */
  readonly onDecodeError?: ((error: unknown, message: Message) => void | Promise<void>) | undefined
}

/** What is accepted where nothing is said: formats that only make plain data. */
export const defaultAccept: readonly string[] = ['json', 'text', 'raw']

/**
 * Receives messages from several queues, one after the other: `for await (const message of consumer)`. Survives the
 * broker: on a new connection everything is declared and consumed again. Leases of messages that are not settled yet are
 * renewed. Breaking out of the loop closes it; the loop ends by itself where the connection's owner closes that.
 */
export class MessageConsumer implements AsyncIterable<Message>, AsyncDisposable {
  readonly #options: MessageConsumerOptions
  readonly #codec: BodyCodec
  readonly #onError: (error: unknown) => void
  readonly #queues = new Map<string, Queue>()
  #prefetch: number
  #paused = false
  #buffer: Message[] = []
  #arrival: Deferred<void> | undefined
  #held: HeldMessages | undefined
  #consumer: Consumer | undefined
  #broker: BrokerConnection | undefined
  /** After a reconnect: until it is known which of the messages are still ours. */
  #checking: Promise<void> | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  /** @throws RangeError for a prefetch below 1. */
  constructor(options: MessageConsumerOptions) {
    this.#options = options
    this.#codec = new BodyCodec(options)
    this.#onError = options.onError ?? warn
    this.#prefetch = checkPrefetch(options.prefetch ?? 100)
    for (const queue of options.queues) this.#queues.set(queue.name, queue)
  }

  /**
   * Begins to consume; `next` does so by itself. Resolves when the queues are declared, however long the broker is away.
   * Safe twice.
   * @throws UnknownSerializerError, CodecUnavailableError for what is to be accepted; what the broker says of the queues.
   */
  start(): Promise<void> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  /**
   * The next message; `undefined` once the consumer has stopped, or its connection was closed by its owner. May be asked
   * for by several at the same time.
   */
  async next(options: AbortableOptions = {}): Promise<Message | undefined> {
    await abortable(this.start(), options.signal)
    for (;;) {
      options.signal?.throwIfAborted()
      if (this.#checking !== undefined) await abortable(this.#checking, options.signal)
      if (this.#stopping !== undefined) return undefined
      const message = this.#buffer.shift()
      if (message === undefined) {
        this.#arrival ??= deferred()
        await abortable(this.#arrival.promise, options.signal)
      } else if (this.#held?.has(message) === true && (await this.#isReadable(message))) {
        if (this.#options.noAck ?? this.#queues.get(message.queue)?.noAck ?? false) void message.ack()
        return message
      }
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, void> {
    try {
      for (let message = await this.next(); message !== undefined; message = await this.next()) yield message
    } finally {
      await this.close()
    }
  }

  /** Names of the queues it consumes. */
  get queueNames(): readonly string[] {
    return [...this.#queues.keys()]
  }

  /** Consumes one more queue; resolves when it is declared. */
  async addQueue(queue: Queue, options?: AbortableOptions): Promise<void> {
    await queue.declare(this.#options.connection, options)
    this.#queues.set(queue.name, queue)
    this.#follow()
  }

  /** Consumes a queue no more. What came from it stays. Says whether it was consumed. */
  cancel(name: string): boolean {
    const was = this.#queues.delete(name)
    if (was) this.#follow()
    return was
  }

  /** Most messages that are fetched and not settled. @throws RangeError below 1 */
  set prefetch(count: number) {
    this.#prefetch = checkPrefetch(count)
    this.#consumer?.wake()
  }

  get prefetch(): number {
    return this.#prefetch
  }

  /** Fetches nothing until `resume()`. What was fetched is still handed out. */
  pause(): void {
    this.#paused = true
    this.#follow()
  }

  resume(): void {
    this.#paused = false
    this.#follow()
  }

  /** Gives back all that was fetched and not handed out, to be delivered again: kombu's `recover`. */
  recover(): void {
    this.#held?.giveBack(this.#buffer.splice(0))
  }

  /** Removes every ready message from its queues and resolves to how many there were. */
  async purge(options?: AbortableOptions): Promise<number> {
    let count = 0
    for (const queue of this.#queues.values()) count += await queue.purge(this.#options.connection, options)
    return count
  }

  /**
   * Takes no further message, and gives back those that were not handed out; the others can still be settled. `next`
   * resolves to `undefined` from now on. Safe twice and before `start`.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /**
   * Stops, gives back what is not settled, and waits for the broker's answers, 5 s at most where it is away. The
   * connection stays open: it belongs to whoever made it. Safe twice.
   */
  async close(): Promise<void> {
    await this.stop()
    await this.#held?.close(closeGraceMs)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #start(): Promise<void> {
    const { accept = defaultAccept, clock, connection } = this.#options
    const accepted = await this.#codec.accept(accept)
    if (this.#stopping !== undefined) return
    const held = new HeldMessages({
      connection,
      codec: this.#codec,
      accept: accepted,
      clock,
      onError: this.#onError,
      onRoom: () => this.#consumer?.wake(),
    })
    this.#held = held
    const consumer = new Consumer({
      connection,
      clock,
      queues: this.#declarations(),
      declare: async (broker, options) => {
        for (const queue of this.#queues.values()) await queue.declare(broker, options)
      },
      capacity: () => this.#prefetch - held.size,
      onConsuming: (broker) => this.#consuming(broker),
      onMessages: (messages) => this.#receive(messages),
      onError: this.#onError,
    })
    this.#consumer = consumer
    void consumer.closed.then(() => this.#ended())
    await consumer.start()
  }

  /** By itself, where nobody has stopped it: its connection is closed, and has given back what it held. */
  #ended(): void {
    if (this.#stopping !== undefined) return
    this.#lose()
    void this.stop()
  }

  async #stop(): Promise<void> {
    await this.#consumer?.stop()
    this.recover()
    this.#arrival?.resolve()
  }

  #declarations(): readonly Queue['declaration'][] {
    return this.#paused ? [] : Array.from(this.#queues.values(), ({ declaration }) => declaration)
  }

  #follow(): void {
    this.#consumer?.setQueues(this.#declarations())
  }

  /**
   * What another connection delivered is delivered again, so it must not be handed out, except where deliveries outlive
   * their connection: there they are still ours, unless the broker says otherwise.
   */
  #consuming(broker: BrokerConnection): void {
    const isFirst = this.#broker === undefined || this.#broker === broker
    this.#broker = broker
    if (isFirst) return
    if (broker.capabilities.sessions !== true) {
      this.#lose()
      return
    }
    const checking = this.#held?.check().then(() => {
      if (this.#checking === checking) this.#checking = undefined
    })
    this.#checking = checking
  }

  #lose(): void {
    this.#buffer = []
    this.#held?.loseAll()
  }

  #receive(messages: readonly IncomingMessage[]): void {
    for (const incoming of messages) {
      const message = this.#held?.admit(incoming)
      if (message !== undefined) this.#buffer.push(message)
    }
    this.#arrival?.resolve()
    this.#arrival = undefined
  }

  async #isReadable(message: Message): Promise<boolean> {
    if (this.#options.decode === false) return true
    try {
      await message.decode()
      return true
    } catch (error) {
      if (this.#options.onDecodeError === undefined) this.#onError(error)
      else await this.#options.onDecodeError(error, message)
      if (!message.isSettled) void message.reject({ reason: error instanceof Error ? error.message : String(error) })
      return false
    }
  }
}

/** For the broker's answers to what is settled at the end. */
export const closeGraceMs = 5_000

/** Says what nobody asked to be told. */
export function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}

function checkPrefetch(count: number): number {
  if (count >= 1) return count
  throw new RangeError(`a consumer must be allowed to fetch 1 message or more ahead, got ${count}`)
}
