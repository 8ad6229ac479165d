import type { AbortableOptions } from '@celery/promises'
import type { AtomicWrite } from '@celery/protocol'
import type {
  Binding,
  CloseOptions,
  Delivery,
  DeliveryRef,
  ExchangeDeclaration,
  FetchOptions,
  LeaseKeeperSpec,
  QueueDeclaration,
  QueueInfo,
  SettleAction,
  SettleResult,
  TransportCapabilities,
} from '../broker-connection.ts'
import type { LiveFanout, OnLiveMessage } from './live-fanout.ts'

/**
 * A store of queues: all that a driver for a list-like store implements. Exchanges, routing and envelopes are put
 * on top by `virtualTransport()`. See `BrokerConnection` for the words and for what each operation promises.
 *
 * After `close()` every operation, also a fetch that is waiting, rejects with `ConnectionClosedError`.
 */
export interface VirtualBroker extends AsyncDisposable {
  readonly capabilities: TransportCapabilities
  readonly domain: string | undefined
  readonly closed: Promise<void>
  readonly leaseKeeper: LeaseKeeperSpec | undefined

  declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void>
  deleteExchange(name: string, options?: AbortableOptions): Promise<void>
  /** `undefined` where no such exchange was declared. */
  exchange(name: string, options?: AbortableOptions): Promise<ExchangeDeclaration | undefined>
  declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo>
  deleteQueue(name: string, options?: AbortableOptions): Promise<number>
  bind(binding: Binding, options?: AbortableOptions): Promise<void>
  unbind(binding: Binding, options?: AbortableOptions): Promise<void>
  /** Every binding of one exchange. */
  bindings(exchange: string, options?: AbortableOptions): Promise<readonly Binding[]>
  purge(queue: string, options?: AbortableOptions): Promise<number>

  /**
   * Adds messages to their queues, and makes a queue that is not there. A tag already present in its queue is the same
   * message: adding it twice adds it once, also where the first time rejected and some had been added.
   */
  put(messages: readonly QueueMessage[], options?: AbortableOptions): Promise<void>
  fetch(queues: readonly string[], options: VirtualFetchOptions): Promise<readonly Delivery[]>
  settle(settlements: readonly VirtualSettlement[], options?: AbortableOptions): Promise<readonly SettleResult[]>
  renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]>
  close(options?: CloseOptions): Promise<void>

  /**
   * Makes what carries fanout exchanges, once for each connection, which closes it too. Needed where
   * `capabilities.liveFanout` says so, and not called elsewhere: there messages of fanout exchanges are put into queues.
   */
  liveFanout?(onMessage: OnLiveMessage): LiveFanout
}

export interface VirtualFetchOptions extends FetchOptions {
  /**
   * To be called whenever the queues were looked through and nothing was found, before waiting; only where there is a
   * `liveFanout`. It may abort `signal`.
   */
  readonly onEmpty?: (() => void) | undefined
}

/** A message whose queue is known. */
export interface QueueMessage {
  readonly queue: string
  readonly tag: string
  /** The envelope. */
  readonly payload: string
  /** 0 to 9. */
  readonly priority: number
  /** Milliseconds since 1970. */
  readonly notBeforeMs?: number
}

export interface VirtualSettlement {
  readonly delivery?: DeliveryRef
  readonly action?: SettleAction
  readonly put?: readonly QueueMessage[]
  readonly writes?: readonly AtomicWrite[]
}
