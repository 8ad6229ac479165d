/**
 * The driver side of a message broker. Words, as in AMQP 0-9-1:
 *
 * - *publication*: a message on its way in, addressed to an exchange with a routing key;
 * - *delivery*: a message handed to us and not settled yet; nobody else gets it while its lease lasts;
 * - *lease*: how long that is without renewal, on brokers that cannot see a dead connection;
 * - *fence*: what proves that a delivery is still ours; a stale one is refused, per item;
 * - *settle*: end a delivery (ack, dead letter) or give it back (requeue, park).
 *
 * Everything comes in batches: one call is one round trip.
 */
import type { AbortableOptions } from '@celery/promises'
import type { AtomicWrite, WireMessage } from '@celery/protocol'

/** What a driver package exports: how to open its broker. */
export interface Transport {
  /** Name for logs, `redis` for example. */
  readonly name: string
  readonly capabilities: TransportCapabilities
  /**
   * Opens one connection. Rejects within the address's connect timeout.
   * @throws ConnectionLostError where the broker cannot be reached; it may be tried again.
   */
  open(address: BrokerAddress, options?: OpenOptions): Promise<BrokerConnection>
}

/** What a broker can do beyond the mandatory operations. Data, so that docs and tests read it too. */
export interface TransportCapabilities {
  /** Other processes see the same queues. */
  readonly shared: boolean
  /** It is at work in this process, where nothing else is meanwhile: asking early gains nothing. @defaultValue `false` */
  readonly local?: boolean
  /** Confirmed messages survive the death of every process that uses the broker. */
  readonly durable: boolean
  /** A message can reach every queue bound to an exchange. */
  readonly fanout: boolean
  /**
   * Fanout exchanges are live, as PUB/SUB of Redis is: a message reaches the queues whose connections listen at that
   * moment and is kept nowhere else, and a binding takes only what its routing key matches, `#` standing for anything.
   * A queue listens on the connection that bound it, and for that one; what is put into it in other ways is not fetched
   * there; `mandatory` is passed over. Deliveries need no settling: acks succeed, a requeue comes back on the same
   * connection, a dead one is over, and what has no connection any more is gone.
   * @defaultValue `false`: they copy messages to queues, whatever the routing key
   */
  readonly liveFanout?: boolean
  /** Levels of priority that change the order of delivery; 1 means first in, first out. */
  readonly priorities: number
  /** Which priority is delivered first: RabbitMQ the highest number, Celery on Redis the lowest. */
  readonly priorityOrder: 'highest-first' | 'lowest-first'
  /** Holds a message back until a given time, outside of any lease. */
  readonly delay: boolean
  /**
   * Whether that goes for what is published too (`Publication.notBeforeMs`), and not only for what is parked. Where it
   * does not, a publication is delivered at once, and whoever gets it before its time parks it: Redis, whose queues
   * Python workers share. @defaultValue as `delay`
   */
  readonly delayedPublish?: boolean
  /** Deliveries come back by themselves when their owner stops renewing. */
  readonly leases: boolean
  /**
   * Deliveries belong to a session (`OpenOptions.session`) and outlive its connections: they are settled and renewed on
   * whichever comes next, and one that failed gives nothing back. @defaultValue `false`: they end with their connection
   */
  readonly sessions?: boolean
  /**
   * Where a message goes that comes back: to its place among those that are still ready, or in front of all of its
   * priority. Those that come back together keep their order in any case. @defaultValue `'place'`
   */
  readonly returns?: 'place' | 'front'
  /**
   * Which repeated publications (`Publication.tag`) are known again: every one while its message is in the queue, or only
   * one that was given up, or whose confirmation did not come. @defaultValue `'present'`
   */
  readonly repeats?: 'present' | 'unconfirmed'
  /** A publication, settlements and the result store's writes can share one transaction. */
  readonly transactions: boolean
}

export interface OpenOptions extends AbortableOptions {
  /** Milliseconds a delivery stays ours without renewal. @defaultValue `30_000` */
  readonly leaseMs?: number
  /**
   * Names who holds what the connection is delivered, for brokers with `capabilities.sessions`: whoever opens again after a
   * failure goes on with the same one. Letters, digits and `-`; no two programs may have the same.
   * @defaultValue a new one for each connection
   */
  readonly session?: string
  /** Reads the time; for tests. @defaultValue `Date.now` */
  readonly now?: () => number
  /** Settings of the driver (`broker_transport_options`). */
  readonly transportOptions?: Readonly<Record<string, unknown>>
}

/** Where a broker is, read from its URL by `parseBrokerUrl`. Shows no password when printed. */
export interface BrokerAddress {
  readonly scheme: string
  readonly host: string | undefined
  readonly port: number | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  /** What follows the host, without the first slash: an AMQP virtual host, a Redis database, a file's path. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** The other brokers of the same URL (`redis://a;redis://b`): where to go when this one fails, or further sentinels. */
  readonly alternates: readonly BrokerAddress[]
  /** The URL with the password as `**`. */
  toString(): string
}

export interface BrokerConnection extends AsyncDisposable {
  readonly capabilities: TransportCapabilities
  /** Where a result store with the same domain lives in the same transaction space. */
  readonly domain: string | undefined
  /** Resolves after `close()`, rejects if the connection ended because of an error. */
  readonly closed: Promise<void>

  declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void>
  deleteExchange(name: string, options?: AbortableOptions): Promise<void>
  /** Makes the queue if it is not there and says how many messages are ready in it. */
  declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo>
  /** Removes the queue, its bindings and its messages; resolves to how many messages were ready. */
  deleteQueue(name: string, options?: AbortableOptions): Promise<number>
  bindQueue(binding: Binding, options?: AbortableOptions): Promise<void>
  unbindQueue(binding: Binding, options?: AbortableOptions): Promise<void>
  /** Removes every ready message and resolves to how many there were. */
  purgeQueue(name: string, options?: AbortableOptions): Promise<number>

  /**
   * Resolves when the broker has confirmed every message. All or nothing as far as routing goes: where one publication
   * has nowhere to go, none is published. Where it rejects for another reason, some may have been: repeated with their tags,
   * on this connection or a later one, each is there once.
   * @throws UnknownExchangeError for an exchange that was never declared.
   * @throws UnroutableError for a `mandatory` publication that no queue is bound for.
   */
  publish(publications: readonly Publication[], options?: AbortableOptions): Promise<void>
  /**
   * Moves up to `max` messages, in fair order over `queues`, from ready to held, atomically.
   * Waits until there is at least one; an aborted wait rejects with `signal.reason` and holds nothing.
   */
  fetch(queues: readonly string[], options: FetchOptions): Promise<readonly Delivery[]>
  /**
   * Settles deliveries and does what belongs to each, item by item: either a settlement takes effect with all its
   * publications and writes, or it was `stale` and none of it happened. Where the broker has transactions the batch
   * is one. A rejected call may be repeated, except after an `UnknownExchangeError`, `UnroutableError` or
   * `ForeignWriteError`: nothing happened then, and nothing will until the settlement at its `index` is changed.
   */
  settle(settlements: readonly Settlement[], options?: AbortableOptions): Promise<readonly SettleResult[]>
  /** Extends the lease of deliveries still held; says per item whether it still was ours. */
  renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]>

  /** How to keep the leases of this connection from a thread of its own; `undefined` where there are none. */
  readonly leaseKeeper: LeaseKeeperSpec | undefined

  /**
   * Ends the connection and gives what it still holds back to the queues at once. Safe twice. With `capabilities.sessions` a
   * connection that failed gives nothing back, and one that is closed gives back all that its session holds, unless
   * that goes on.
   */
  close(options?: CloseOptions): Promise<void>
}

export interface CloseOptions {
  /**
   * Another connection takes the place of this one with the same session, so nothing is given back. Only where
   * `capabilities.sessions` says so; others pass over it. @defaultValue `false`
   */
  readonly sessionGoesOn?: boolean
}

export interface ExchangeDeclaration {
  readonly name: string
  readonly type: 'direct' | 'topic' | 'fanout' | 'headers'
  readonly durable?: boolean
  readonly autoDelete?: boolean
  /** The broker's own, `alternate-exchange` for example; brokers that know none pass over them. */
  readonly arguments?: Readonly<Record<string, unknown>>
}

export interface QueueDeclaration {
  readonly name: string
  /** Whether it survives a restart of a broker that tells the two apart; one that is durable keeps every queue. */
  readonly durable?: boolean
  /** Goes away when the last connection that fetched from it closes. */
  readonly autoDelete?: boolean
  /** Goes away when the connection that declared it closes. */
  readonly exclusive?: boolean
  /** Milliseconds without use after which the queue goes away (`x-expires`). */
  readonly expiresMs?: number
  /** Milliseconds after which a message goes away (`x-message-ttl`). */
  readonly messageTtlMs?: number
  /** The broker's own, `x-max-length` for example; brokers that know none pass over them. */
  readonly arguments?: Readonly<Record<string, unknown>>
}

export interface QueueInfo {
  readonly name: string
  /** Messages that could be delivered now. */
  readonly ready: number
  /** Messages held back until a later time. */
  readonly delayed: number
  /** Messages delivered and not settled. */
  readonly held: number
}

export interface Binding {
  readonly queue: string
  readonly exchange: string
  readonly routingKey: string
  /** What an exchange of type `headers` compares, `x-match` among it; the others pass over it. */
  readonly arguments?: Readonly<Record<string, unknown>>
}

export interface Publication {
  /** `''` is the default exchange: the routing key names the queue, which is made if it is not there. */
  readonly exchange: string
  readonly routingKey: string
  readonly message: WireMessage
  /**
   * Names this publication, for whoever may have to publish it again because no confirmation came: while a message of
   * that tag is in the queue, the second one is not added. Only brokers that can check do, and some of them only where
   * no confirmation came (`capabilities.repeats`). @defaultValue a new one
   */
  readonly tag?: string
  /** Whether it is an error that no queue takes the message. @defaultValue `false`: it is dropped, as AMQP does */
  readonly mandatory?: boolean
  /**
   * Milliseconds since 1970 before which it is not delivered. Needs `capabilities.delay`; passed over where
   * `capabilities.delayedPublish` says so: then the message itself must say it too, to whoever gets it.
   */
  readonly notBeforeMs?: number
}

export interface FetchOptions {
  readonly max: number
  readonly signal: AbortSignal
}

/** What a delivery is known by when it is settled. */
export interface DeliveryRef {
  readonly queue: string
  /** Unique among the messages of the broker. */
  readonly tag: string
  /** Changes with every delivery; the driver's own business. */
  readonly fence: string | number
}

export interface Delivery extends DeliveryRef {
  /** How often it was delivered before and came back without a clean return: a lost owner or a counted requeue. */
  readonly redeliveries: number
  /**
   * What the broker holds: an envelope as text or bytes, not decoded and not to be trusted, or, where the broker's
   * own protocol has them apart, the message.
   */
  readonly payload: string | Uint8Array | WireMessage
  /** In a dead-letter queue: why it is there. */
  readonly deadReason?: string
}

export interface Settlement {
  /** Absent where there is nothing to settle, only to write: the outcome of a task that was acknowledged early. */
  readonly delivery?: DeliveryRef
  /** @defaultValue `{ type: 'ack' }` */
  readonly action?: SettleAction
  /** Follow-up messages that exist if and only if the settlement took effect. */
  readonly publish?: readonly Publication[]
  /** Writes to the result store of the same `domain`. */
  readonly writes?: readonly AtomicWrite[]
}

export type SettleAction =
  | { readonly type: 'ack' }
  /** Back to its place in the queue. Counted when it was being worked on, not when it was merely prefetched. */
  | { readonly type: 'requeue'; readonly counted: boolean }
  /** Back into its queue, to be delivered at a time. Counted as a requeue is. @defaultValue `counted: false` */
  | { readonly type: 'park'; readonly untilMs: number; readonly counted?: boolean }
  /** Into the dead-letter queue `<queue>.dead`. */
  | { readonly type: 'dead'; readonly reason: string }

/** `stale`: the delivery was no longer ours, so nothing of its settlement happened. */
export type SettleResult = 'done' | 'stale'

/**
 * A module that renews leases on a worker thread with a connection of its own, so that no user code can keep it
 * from doing so. It exports `keepLeases: KeepLeases`.
 */
export interface LeaseKeeperSpec {
  readonly module: URL
  /** Handed to `keepLeases`; must survive structured cloning. */
  readonly data: unknown
}

/** Runs until the commands end. */
export type KeepLeases = (data: unknown, commands: LeaseCommands) => Promise<void>

export interface LeaseCommands extends AbortableOptions {
  /** Registers what is to happen when deliveries must no longer be renewed: they outlived every limit. */
  onAbandon(handler: (deliveries: readonly DeliveryRef[]) => void): void
  /** Registers what is to happen when deliveries come under this keeper. Only for brokers with a lease per message. */
  onHold(handler: (deliveries: readonly DeliveryRef[]) => void): void
  onRelease(handler: (deliveries: readonly DeliveryRef[]) => void): void
  /** Says that leases are kept from now on: the first renewal has succeeded. May be called again. */
  ready(): void
  /** Tells the main thread of a failure; the keeper goes on. */
  report(error: unknown): void
}

/** The queue to which `settle` moves what is dead. */
export function deadLetterQueue(queue: string): string {
  return `${queue}${deadSuffix}`
}

export function isDeadLetterQueue(queue: string): boolean {
  return queue.endsWith(deadSuffix)
}

const deadSuffix = '.dead'

/** Whether the broker itself holds a publication back until its `notBeforeMs`. */
export function delaysPublications({ delay, delayedPublish }: TransportCapabilities): boolean {
  return delay && (delayedPublish ?? true)
}

/**
 * How a dead-letter queue keeps its messages, however they came there: the newest, in the order in which they came, whatever
 * their priority.
 */
export interface DeadLetterLimits {
  /** Most messages that wait there; one more drops the oldest. */
  readonly maxMessages: number
  /** Milliseconds after which one goes away, unless whoever declared the queue said otherwise. */
  readonly messageTtlMs: number
}

/** 10,000 messages for seven days. */
export const deadLetterLimits: DeadLetterLimits = { maxMessages: 10_000, messageTtlMs: 7 * 24 * 3_600_000 }
