import type { AbortableOptions } from '@celery/promises'
import type { ExchangeDeclaration } from '@celery/transport'
import { type BrokerSource, onBroker } from './broker-source.ts'

export interface ExchangeOptions {
  /** @defaultValue `'direct'` */
  readonly type?: ExchangeDeclaration['type'] | undefined
  /** Whether it survives a restart of the broker. @defaultValue `true` */
  readonly durable?: boolean | undefined
  /** Goes away with its last binding, on brokers that do so. @defaultValue `false` */
  readonly autoDelete?: boolean | undefined
  /** Whether messages published to it survive a restart of the broker, unless they say otherwise. @defaultValue `'persistent'` */
  readonly deliveryMode?: DeliveryMode | undefined
  /** The broker's own, `alternate-exchange` for example. */
  readonly arguments?: Readonly<Record<string, unknown>> | undefined
  /** Leaves it as it is: somebody else declares it. @defaultValue `false` */
  readonly noDeclare?: boolean | undefined
}

export type DeliveryMode = 'persistent' | 'transient'

/** An exchange as data, as `Exchange.toJSON()` writes and `Exchange.from()` reads it. */
export interface ExchangeData extends ExchangeOptions {
  readonly name: string
}

/**
 * Where messages are published to: it hands each one to the queues that are bound to it. A value without a connection, to
 * be made once and used everywhere; `''` is the default exchange, which hands a message to the queue of that name.
 */
export class Exchange {
  readonly name: string
  readonly type: ExchangeDeclaration['type']
  readonly durable: boolean
  readonly autoDelete: boolean
  readonly deliveryMode: DeliveryMode
  readonly arguments: Readonly<Record<string, unknown>> | undefined
  readonly noDeclare: boolean

  constructor(name: string, options: ExchangeOptions = {}) {
    this.name = name
    this.type = options.type ?? 'direct'
    this.durable = options.durable ?? true
    this.autoDelete = options.autoDelete ?? false
    this.deliveryMode = options.deliveryMode ?? 'persistent'
    this.arguments = options.arguments
    this.noDeclare = options.noDeclare ?? false
  }

  /** An exchange from data, in a configuration for example. */
  static from({ name, ...options }: ExchangeData): Exchange {
    return new Exchange(name, options)
  }

  /**
   * Makes it if it is not there. The default exchange and the broker's own (`amq.…`) always are.
   * @throws ExchangeMismatchError where there is one of that name and another type.
   */
  async declare(source: BrokerSource, options?: AbortableOptions): Promise<void> {
    if (this.noDeclare || this.name === '' || this.name.startsWith('amq.')) return
    const { name, type, durable, autoDelete, arguments: own } = this
    const declaration = { name, type, durable, autoDelete, ...(own === undefined ? {} : { arguments: own }) }
    await onBroker(source, (broker) => broker.declareExchange(declaration, options), options)
  }

  /** Removes it and its bindings. */
  async delete(source: BrokerSource, options?: AbortableOptions): Promise<void> {
    await onBroker(source, (broker) => broker.deleteExchange(this.name, options), options)
  }

  toJSON(): ExchangeData {
    const { name, type, durable, autoDelete, deliveryMode, noDeclare, arguments: own } = this
    return {
      name,
      type,
      durable,
      autoDelete,
      deliveryMode,
      noDeclare,
      ...(own === undefined ? {} : { arguments: own }),
    }
  }

  toString(): string {
    return this.name === '' ? 'the default exchange' : `exchange "${this.name}" (${this.type})`
  }
}
