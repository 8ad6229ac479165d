import type { AbortableOptions } from '@celery/promises'
import type { Binding, BrokerConnection, QueueDeclaration, QueueInfo } from '@celery/transport'
import { type BrokerSource, onBroker } from './broker-source.ts'
import { checkPriority } from './check-priority.ts'
import { Exchange, type ExchangeData } from './exchange.ts'

/** One way for messages into a queue. */
export interface QueueBinding {
  readonly exchange: Exchange
  /** A key for `direct`, a pattern for `topic`; `fanout` and `headers` pass over it. @defaultValue `''` */
  readonly routingKey?: string | undefined
  /** What a `headers` exchange compares, `x-match` among it. */
  readonly arguments?: Readonly<Record<string, unknown>> | undefined
}

export interface QueueOptions {
  /** The exchange it is bound to. @defaultValue none: it is reached by its name, through the default exchange */
  readonly exchange?: Exchange | undefined
  /** Key or pattern of the binding to `exchange`. @defaultValue `''` */
  readonly routingKey?: string | undefined
  /** What a `headers` exchange compares, in the binding to `exchange`. */
  readonly bindingArguments?: Readonly<Record<string, unknown>> | undefined
  /** Further bindings. */
  readonly bindings?: readonly QueueBinding[] | undefined
  /** Whether it survives a restart of the broker. @defaultValue `true` */
  readonly durable?: boolean | undefined
  /** For the declaring connection alone, and gone with it. Implies `autoDelete`. @defaultValue `false` */
  readonly exclusive?: boolean | undefined
  /** Goes away when the last connection that consumed from it closes. @defaultValue `false` */
  readonly autoDelete?: boolean | undefined
  /** Messages are acknowledged when a program gets them, and lost with it. @defaultValue `false` */
  readonly noAck?: boolean | undefined
  /** Seconds without use after which it goes away. @defaultValue never */
  readonly expires?: number | undefined
  /** Seconds after which a message in it goes away. @defaultValue never */
  readonly messageTtl?: number | undefined
  /** Most messages it keeps (`x-max-length`), on brokers that count. */
  readonly maxLength?: number | undefined
  /** Most bytes it keeps (`x-max-length-bytes`), on brokers that count. */
  readonly maxLengthBytes?: number | undefined
  /** The highest priority (`x-max-priority`), up to 255, on RabbitMQ; other brokers have theirs without asking. */
  readonly maxPriority?: number | undefined
  /** The broker's own. */
  readonly arguments?: Readonly<Record<string, unknown>> | undefined
  /** Another name for people, where the real one is made up. */
  readonly alias?: string | undefined
  /** Leaves it as it is, bindings too: somebody else declares it. @defaultValue `false` */
  readonly noDeclare?: boolean | undefined
  /** Told after each declaration what is in it. */
  readonly onDeclared?: ((info: QueueInfo) => void) | undefined
}

/** A queue as data, as `Queue.toJSON()` writes and `Queue.from()` reads it. */
export interface QueueData extends Omit<QueueOptions, 'exchange' | 'bindings' | 'onDeclared'> {
  readonly name: string
  readonly exchange?: ExchangeData | undefined
  readonly bindings?: readonly QueueBindingData[] | undefined
}

export interface QueueBindingData extends Omit<QueueBinding, 'exchange'> {
  readonly exchange: ExchangeData
}

/** Where messages wait, and how they come there. A value without a connection, to be made once and used everywhere. */
export class Queue {
  readonly name: string
  /** `undefined` where it is reached by its name alone. */
  readonly exchange: Exchange | undefined
  readonly routingKey: string
  /** All ways into it, the one from `exchange` first. */
  readonly bindings: readonly QueueBinding[]
  readonly noAck: boolean
  readonly alias: string | undefined
  /** What a broker is told of it. */
  readonly declaration: QueueDeclaration
  readonly #options: QueueOptions

  /** @throws RangeError for a name that is empty, a limit that is negative or a priority that is none. */
  constructor(name: string, options: QueueOptions = {}) {
    if (name === '') throw new RangeError('a queue needs a name; make one up with randomUUID() for one of your own')
    this.name = name
    this.exchange = options.exchange
    this.routingKey = options.routingKey ?? ''
    this.bindings = bindingsOf(options)
    this.noAck = options.noAck ?? false
    this.alias = options.alias
    this.declaration = declarationOf(name, options)
    this.#options = options
  }

  /** A queue from data, in a configuration for example. */
  static from({ name, exchange, bindings, ...options }: QueueData): Queue {
    return new Queue(name, {
      ...options,
      exchange: exchange === undefined ? undefined : Exchange.from(exchange),
      bindings: bindings?.map((binding) => ({ ...binding, exchange: Exchange.from(binding.exchange) })),
    })
  }

  /** The same queue but for these options. */
  with(changes: QueueOptions): Queue {
    return new Queue(this.name, { ...this.#options, ...changes })
  }

  /** Where to publish so that it gets the message. */
  get address(): { readonly exchange: Exchange | ''; readonly routingKey: string } {
    return this.exchange === undefined || this.exchange.name === ''
      ? { exchange: '', routingKey: this.name }
      : { exchange: this.exchange, routingKey: this.routingKey }
  }

  /** Makes its exchanges, itself and its bindings, as far as they are not there. */
  async declare(source: BrokerSource, options?: AbortableOptions): Promise<void> {
    if (this.#options.noDeclare === true) return
    await onBroker(source, (broker) => this.#declareOn(broker, options), options)
  }

  /** How many messages are in it. Makes it if it is not there. */
  info(source: BrokerSource, options?: AbortableOptions): Promise<QueueInfo> {
    return onBroker(source, (broker) => broker.declareQueue(this.declaration, options), options)
  }

  /** Adds a way into it. */
  async bindTo(source: BrokerSource, binding: QueueBinding, options?: AbortableOptions): Promise<void> {
    await onBroker(source, (broker) => broker.bindQueue(this.#binding(binding), options), options)
  }

  /** Closes a way into it. */
  async unbindFrom(source: BrokerSource, binding: QueueBinding, options?: AbortableOptions): Promise<void> {
    await onBroker(source, (broker) => broker.unbindQueue(this.#binding(binding), options), options)
  }

  /** Removes every ready message and resolves to how many there were. */
  purge(source: BrokerSource, options?: AbortableOptions): Promise<number> {
    return onBroker(source, (broker) => broker.purgeQueue(this.name, options), options)
  }

  /** Removes it, its bindings and its messages; resolves to how many messages were ready. */
  delete(source: BrokerSource, options?: AbortableOptions): Promise<number> {
    return onBroker(source, (broker) => broker.deleteQueue(this.name, options), options)
  }

  toJSON(): QueueData {
    const { exchange, bindings, onDeclared: _, ...options } = this.#options
    return {
      ...options,
      name: this.name,
      ...(exchange === undefined ? {} : { exchange: exchange.toJSON() }),
      ...(bindings === undefined
        ? {}
        : { bindings: bindings.map((binding) => ({ ...binding, exchange: binding.exchange.toJSON() })) }),
    }
  }

  toString(): string {
    const alias = this.alias === undefined ? '' : ` (${this.alias})`
    return `queue "${this.name}"${alias}`
  }

  async #declareOn(broker: BrokerConnection, options: AbortableOptions | undefined): Promise<void> {
    for (const { exchange } of this.bindings) await exchange.declare(broker, options)
    const info = await broker.declareQueue(this.declaration, options)
    for (const binding of this.bindings) {
      // Every queue is bound to the default exchange by its name.
      if (binding.exchange.name !== '') await broker.bindQueue(this.#binding(binding), options)
    }
    this.#options.onDeclared?.(info)
  }

  #binding({ exchange, routingKey = '', arguments: own }: QueueBinding): Binding {
    const binding = { queue: this.name, exchange: exchange.name, routingKey }
    return own === undefined ? binding : { ...binding, arguments: own }
  }
}

function bindingsOf({ exchange, routingKey, bindingArguments, bindings = [] }: QueueOptions): readonly QueueBinding[] {
  if (exchange === undefined) return bindings
  return [{ exchange, routingKey, arguments: bindingArguments }, ...bindings]
}

function declarationOf(name: string, options: QueueOptions): QueueDeclaration {
  const { durable = true, exclusive = false, expires, messageTtl } = options
  const own = { ...options.arguments, ...limits(options) }
  return {
    name,
    durable,
    exclusive,
    autoDelete: exclusive || (options.autoDelete ?? false),
    ...(expires === undefined ? {} : { expiresMs: milliseconds('expires', expires) }),
    ...(messageTtl === undefined ? {} : { messageTtlMs: milliseconds('messageTtl', messageTtl) }),
    ...(Object.keys(own).length === 0 ? {} : { arguments: own }),
  }
}

/** As kombu's `to_rabbitmq_queue_arguments`. */
function limits({ maxLength, maxLengthBytes, maxPriority }: QueueOptions): Record<string, number> {
  return {
    ...(maxLength === undefined ? {} : { 'x-max-length': atLeastZero('maxLength', maxLength) }),
    ...(maxLengthBytes === undefined ? {} : { 'x-max-length-bytes': atLeastZero('maxLengthBytes', maxLengthBytes) }),
    ...(maxPriority === undefined ? {} : { 'x-max-priority': checkPriority('maxPriority of a queue', maxPriority) }),
  }
}

function milliseconds(option: string, seconds: number): number {
  return Math.round(atLeastZero(option, seconds) * 1_000)
}

function atLeastZero(option: string, value: number): number {
  if (value >= 0) return value
  throw new RangeError(`${option} of a queue must be 0 or more, got ${value}`)
}
