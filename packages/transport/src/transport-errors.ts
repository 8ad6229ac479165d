import { CeleryError, sayNotYet } from '@celery/promises'

/** The connection ended or was never accepted. Safe to try again on a new connection. */
export class ConnectionLostError extends CeleryError {
  override readonly name = 'ConnectionLostError'
  readonly code = 'ERR_CELERY_CONNECTION_LOST'
  /** Broker address with the password masked. */
  readonly address: string

  constructor(address: string, options?: ErrorOptions) {
    super(describeLoss(address, options?.cause), options)
    this.address = address
  }
}

/** The connection was closed by its owner. Trying again needs a new connection, and a reason to want one. */
export class ConnectionClosedError extends CeleryError {
  override readonly name = 'ConnectionClosedError'
  readonly code = 'ERR_CELERY_CONNECTION_CLOSED'
  /** Broker address with the password masked. */
  readonly address: string

  constructor(address: string) {
    super(`the connection to ${address} was closed; open a new one before using it`)
    this.address = address
  }
}

/** The broker is there but takes nothing in just now: full, locked, or blocked by an alarm. The connection is good. */
export class BrokerBusyError extends CeleryError {
  override readonly name = 'BrokerBusyError'
  readonly code = 'ERR_CELERY_BROKER_BUSY'
  /** Broker address with the password masked. */
  readonly address: string
  /** What the broker said. */
  readonly reason: string

  constructor(address: string, reason: string, options?: ErrorOptions) {
    super(`the broker at ${address} refused for now: ${reason}; try again later on the same connection`, options)
    this.address = address
    this.reason = reason
  }
}

/** No driver is registered for the scheme of a broker URL. */
export class UnknownTransportError extends CeleryError {
  override readonly name = 'UnknownTransportError'
  readonly code = 'ERR_CELERY_UNKNOWN_TRANSPORT'
  readonly scheme: string
  readonly known: readonly string[]

  constructor(scheme: string, known: readonly string[], options?: ErrorOptions) {
    const list = known.length === 0 ? 'none is registered' : `known are ${[...known].sort().join(', ')}`
    super(
      `no transport for broker URLs that begin with "${scheme}://"${sayNotYet(scheme, known, notYet)}; ${list}; correct the URL, or register a driver for it`,
      options,
    )
    this.scheme = scheme
    this.known = known
  }
}

/** Celery's brokers that there is no driver of ours for in this release, by scheme. */
const notYet: Readonly<Record<string, string>> = {
  amqp: 'RabbitMQ',
  amqps: 'RabbitMQ',
  pyamqp: 'RabbitMQ',
  sqs: 'Amazon SQS',
  zookeeper: 'ZooKeeper',
  filesystem: 'files',
  mongodb: 'MongoDB',
}

/**
 * A broker URL, or an option that goes with it, cannot be read. The message shows nothing of the URL but the scheme: what is
 * wrong may be the password.
 */
export class InvalidBrokerUrlError extends CeleryError {
  override readonly name = 'InvalidBrokerUrlError'
  readonly code = 'ERR_CELERY_INVALID_BROKER_URL'
  readonly reason: string
  /** Where an option is to blame that does not stand in the URL: the setting in which it does. */
  readonly setting: string | undefined

  constructor(scheme: string | undefined, reason: string, { setting }: { readonly setting?: string | undefined } = {}) {
    const broker = scheme === undefined ? '' : ` "${scheme}://…"`
    const subject = setting === undefined ? `broker URL${broker} is` : `${setting} of the broker${broker} are`
    super(`${subject} not valid: ${reason}`)
    this.reason = reason
    this.setting = setting
  }
}

/** A message was published to an exchange nobody declared. Declare it first; nothing of the call happened. */
export class UnknownExchangeError extends CeleryError {
  override readonly name = 'UnknownExchangeError'
  readonly code = 'ERR_CELERY_UNKNOWN_EXCHANGE'
  readonly exchange: string
  /** Which of the publications or settlements given to the call it was. */
  readonly index: number | undefined

  constructor(exchange: string, index?: number) {
    super(`exchange "${exchange}" was not declared; declare it before publishing or binding to it`)
    this.exchange = exchange
    this.index = index
  }
}

/** No queue is bound for a `mandatory` message. Bind one first; nothing of the call happened. */
export class UnroutableError extends CeleryError {
  override readonly name = 'UnroutableError'
  readonly code = 'ERR_CELERY_UNROUTABLE'
  readonly exchange: string
  readonly routingKey: string
  /** Which of the publications or settlements given to the call it was. */
  readonly index: number | undefined

  constructor(exchange: string, routingKey: string, index?: number) {
    super(`no queue is bound to exchange "${exchange}" for routing key "${routingKey}"; bind one before publishing`)
    this.exchange = exchange
    this.routingKey = routingKey
    this.index = index
  }
}

/** An exchange of that name exists with another type. Rename one of the two, or delete the old one. */
export class ExchangeMismatchError extends CeleryError {
  override readonly name = 'ExchangeMismatchError'
  readonly code = 'ERR_CELERY_EXCHANGE_MISMATCH'
  readonly exchange: string
  readonly declaredType: string
  readonly existingType: string

  /** @param elsewhere - Where there is another broker at hand, without this exchange. */
  constructor(exchange: string, declaredType: string, existingType: string, elsewhere?: string) {
    super(
      `exchange "${exchange}" is of type ${existingType} and cannot be declared as ${declaredType}: the broker has it from before; ` +
        `rename one of the two, delete the old one, or ${elsewhere ?? 'use another broker'}`,
    )
    this.exchange = exchange
    this.declaredType = declaredType
    this.existingType = existingType
  }
}

/** The broker has no such ability; see its `capabilities`. Trying again changes nothing. */
export class UnsupportedByTransportError extends CeleryError {
  override readonly name = 'UnsupportedByTransportError'
  readonly code = 'ERR_CELERY_UNSUPPORTED_BY_TRANSPORT'
  readonly transport: string
  readonly feature: string

  constructor(transport: string, feature: string) {
    super(`the ${transport} transport does not support ${feature}`)
    this.transport = transport
    this.feature = feature
  }
}

/**
 * The writes belong to a result store that is in no transaction of this broker, mostly because they were prepared for
 * another broker before a failover. Store them by themselves; nothing of the call happened.
 */
export class ForeignWriteError extends CeleryError {
  override readonly name = 'ForeignWriteError'
  readonly code = 'ERR_CELERY_FOREIGN_WRITE'
  readonly transport: string
  /** Of the store. */
  readonly domain: string
  /** Which of the settlements given to the call it was. */
  readonly index: number

  constructor(transport: string, domain: string, index: number) {
    super(
      `the ${transport} broker cannot write to the result store "${domain}" in its own transactions; store the result by itself`,
    )
    this.transport = transport
    this.domain = domain
    this.index = index
  }
}

/** A cause that names the address itself says it all. */
function describeLoss(address: string, cause: unknown): string {
  if (!(cause instanceof Error)) return `connection to ${address} was lost; open a new one and try again`
  return cause.message.includes(address) ? cause.message : `no connection to ${address}: ${cause.message}`
}
