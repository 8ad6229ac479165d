import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { AbortableOptions } from '@celery/promises'
import { type Database, openDatabase, withBusyRetry } from '@celery/sqlite'
import type {
  Binding,
  Delivery,
  DeliveryRef,
  ExchangeDeclaration,
  FetchOptions,
  LeaseKeeperSpec,
  QueueDeclaration,
  QueueInfo,
  SettleResult,
  TransportCapabilities,
} from '@celery/transport'
import type { QueueMessage, VirtualBroker, VirtualSettlement } from '@celery/transport/virtual'
import { toTransportError } from './broker-errors.ts'
import type { BrokerFile } from './broker-file.ts'
import { sqliteCapabilities } from './capabilities.ts'
import { heldKey } from './fence.ts'
import { FileSession } from './file-session.ts'
import type { LeaseKeeperData } from './lease-keeper.ts'
import { createSchema } from './schema.ts'
import { checkWrites } from './settle-messages.ts'
import { WakeUp } from './wake-up.ts'

export interface SqliteBrokerOptions extends AbortableOptions {
  readonly path: string
  /** For error messages. @defaultValue the path */
  readonly address?: string
  /** Milliseconds a delivery stays ours without renewal. @defaultValue `30_000` */
  readonly leaseMs?: number
  /** Milliseconds for which an operation waits while other processes have the file locked. @defaultValue `5_000` */
  readonly lockTimeoutMs?: number
  /** See `SqliteTransportOptions`. @defaultValue `1_000`, and a third of the lease at most */
  readonly takeoverGraceMs?: number
  /** @defaultValue `Date.now` */
  readonly now?: () => number
}

/**
 * Opens the file, making it and its tables where missing.
 * @throws ConnectionLostError, with a `DatabaseBusyError` or `DatabaseUnavailableError` as its cause; InvalidBrokerUrlError
 * where the path can never be a file to work with
 */
export async function openSqliteBroker(options: SqliteBrokerOptions): Promise<VirtualBroker> {
  const { path, signal, lockTimeoutMs: deadlineMs = 5_000 } = options
  let database: Database | undefined
  try {
    const opened = await openDatabase(path, { signal, deadlineMs, checkpointBytes: mainThreadCheckpointBytes })
    database = opened
    await withBusyRetry(() => createSchema(opened), { signal, deadlineMs })
    return new SqliteBroker(opened, options)
  } catch (error) {
    database?.close()
    throw toTransportError(options.address ?? path, error, 'open')
  }
}

/** The lease keeper empties the log long before, on its own thread, if there is one. */
const mainThreadCheckpointBytes = 16 * 2 ** 20

/** One connection to a file of queues. */
class SqliteBroker implements VirtualBroker {
  readonly capabilities: TransportCapabilities = sqliteCapabilities
  readonly domain: string
  readonly leaseKeeper: LeaseKeeperSpec
  readonly #session: FileSession
  readonly #file: BrokerFile
  readonly #wakeUp: WakeUp

  constructor(database: Database, options: SqliteBrokerOptions) {
    const { address = options.path, leaseMs = 30_000, lockTimeoutMs = 5_000, now = Date.now } = options
    // A longer one would outlast the lease that it stands in for.
    const graceMs = Math.min(options.takeoverGraceMs ?? Math.min(1_000, leaseMs / 3), leaseMs)
    const wakeUp = new WakeUp(database, (error) => this.#session.fail(error))
    const onEnd = (error: Error): void => wakeUp.fail(error)
    this.#wakeUp = wakeUp
    this.#session = new FileSession(database, { address, leaseMs, graceMs, lockTimeoutMs, now, onEnd })
    this.#file = this.#session.file
    this.domain = database.domain
    const data: LeaseKeeperData = { path: database.path, session: this.#session.id, leaseMs, graceMs }
    this.leaseKeeper = { module: keeperModule(), data }
  }

  get closed(): Promise<void> {
    return this.#session.closed
  }

  declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    return this.#session.commit(() => this.#file.topology.declareExchange(exchange), options)
  }

  deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    return this.#session.commit(() => this.#file.topology.deleteExchange(name), options)
  }

  exchange(name: string, options?: AbortableOptions): Promise<ExchangeDeclaration | undefined> {
    return this.#session.read(() => this.#file.topology.exchange(name), options)
  }

  declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    return this.#session.commit((nowMs) => {
      const { topology, store } = this.#file
      this.#file.deleteUnused(nowMs)
      // An exclusive queue goes away with its owner, so there has to be one.
      if (queue.exclusive === true) this.#file.ensureOwner(nowMs)
      const row = topology.declareQueue(queue, this.#session.id, nowMs)
      this.#file.catchUp(nowMs)
      store.dropExpired(row, nowMs)
      return { name: queue.name, ...store.counts(row) }
    }, options)
  }

  deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    return this.#session.commit((nowMs) => {
      const queue = this.#file.topology.queue(name)
      if (queue === undefined) return 0
      this.#file.catchUp(nowMs)
      this.#file.store.dropExpired(queue, nowMs)
      const { ready } = this.#file.store.counts(queue)
      this.#file.deleteQueue(queue)
      return ready
    }, options)
  }

  bind(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#session.commit(() => this.#file.topology.bind(binding), options)
  }

  unbind(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#session.commit(() => this.#file.topology.unbind(binding), options)
  }

  async bindings(exchange: string, options?: AbortableOptions): Promise<readonly Binding[]> {
    const { topology } = this.#file
    const anyUnused = await this.#session.read((nowMs) => topology.unusedQueues(nowMs).length > 0, options)
    if (anyUnused) await this.#session.commit((nowMs) => this.#file.deleteUnused(nowMs), options)
    return this.#session.read(() => topology.bindings(exchange), options)
  }

  async purge(name: string, options?: AbortableOptions): Promise<number> {
    let purged = 0
    for (let found = purgePortion; found === purgePortion; ) {
      found = await this.#session.commit((nowMs) => {
        const queue = this.#file.topology.queue(name)
        if (queue === undefined) return 0
        this.#file.catchUp(nowMs)
        this.#file.store.dropExpired(queue, nowMs)
        return this.#file.store.purgePortion(queue, purgePortion)
      }, options)
      purged += found
    }
    return purged
  }

  async put(messages: readonly QueueMessage[], options?: AbortableOptions): Promise<void> {
    // One transaction, so that a publication reaches all its queues or none; only very many are split.
    for (let first = 0; first < messages.length; first += putPortion) {
      const portion = messages.length <= putPortion ? messages : messages.slice(first, first + putPortion)
      await this.#session.commit((nowMs) => this.#file.put(portion, nowMs), options, 'add')
    }
    this.#wakeUp.wake()
  }

  async fetch(queues: readonly string[], { max, signal }: FetchOptions): Promise<readonly Delivery[]> {
    for (;;) {
      const deliveries = await this.#session.commit((nowMs) => this.#file.take(queues, max, nowMs), { signal })
      if (deliveries.length > 0) return deliveries
      this.#wakeUp.enter()
      try {
        await this.#untilWorthTaking(queues, signal)
      } finally {
        this.#wakeUp.leave()
      }
    }
  }

  async settle(
    settlements: readonly VirtualSettlement[],
    options?: AbortableOptions,
  ): Promise<readonly SettleResult[]> {
    checkWrites(settlements)
    const wakes = settlements.some(makesReady)
    const run = (nowMs: number): SettleResult[] => this.#file.settler.settle(settlements, nowMs)
    const results = await this.#session.commit(run, options, wakes ? 'look' : 'end')
    if (wakes) this.#wakeUp.wake()
    return results
  }

  renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    return this.#session.commit((nowMs) => {
      const held = deliveries.map((delivery) => this.#file.claims.find(heldKey(delivery)))
      // A lease belongs to the owner: renewing one delivery renews all of ours.
      if (held.some((message) => message !== undefined)) this.#file.ownership.renew(nowMs)
      return held.map((message) => (message === undefined ? 'stale' : 'done'))
    }, options)
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #untilWorthTaking(queues: readonly string[], signal: AbortSignal): Promise<void> {
    for (;;) {
      const count = this.#wakeUp.count
      this.#session.checkOpen()
      const idleMs = await this.#session.read((nowMs) => this.#file.idleMs(queues, nowMs), { signal })
      if (idleMs === 0) return
      // The clock may be moved, by its owner or by a test, and nothing tells.
      const timeoutMs = idleMs === undefined ? undefined : Math.min(idleMs, longestIdleMs)
      await this.#wakeUp.wait(count, { signal, timeoutMs })
    }
  }
}

const purgePortion = 1_000
const putPortion = 1_000
const longestIdleMs = 250

/** Asked of Node rather than written down, because this file and that one lie elsewhere when run from their source. */
function keeperModule(): URL {
  return pathToFileURL(createRequire(import.meta.url).resolve('@celery/transport-sqlite/lease-keeper'))
}

function makesReady({ action, put }: VirtualSettlement): boolean {
  return (put !== undefined && put.length > 0) || (action !== undefined && action.type !== 'ack')
}
