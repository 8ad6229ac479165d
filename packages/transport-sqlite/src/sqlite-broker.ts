import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { type AbortableOptions, CeleryError, deferred } from '@celery/promises'
import { type Database, openDatabase, withBusyRetry } from '@celery/sqlite'
import {
  type Binding,
  ConnectionClosedError,
  type Delivery,
  type DeliveryRef,
  type ExchangeDeclaration,
  type FetchOptions,
  type LeaseKeeperSpec,
  type QueueDeclaration,
  type QueueInfo,
  type SettleResult,
  type TransportCapabilities,
} from '@celery/transport'
import type { QueueMessage, VirtualBroker, VirtualSettlement } from '@celery/transport/virtual'
import { endsConnection, toTransportError } from './broker-errors.ts'
import { BrokerFile } from './broker-file.ts'
import { sqliteCapabilities } from './capabilities.ts'
import { heldKey } from './fence.ts'
import { GroupCommit } from './group-commit.ts'
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
 * @throws ConnectionLostError, with a `DatabaseBusyError` or `DatabaseUnavailableError` as its cause
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
  readonly closed: Promise<void>
  readonly leaseKeeper: LeaseKeeperSpec
  readonly #address: string
  readonly #database: Database
  readonly #file: BrokerFile
  readonly #commits: GroupCommit
  readonly #wakeUp: WakeUp
  readonly #now: () => number
  readonly #leaseMs: number
  readonly #session = randomUUID()
  readonly #onClosed = deferred()
  #renewTimer: NodeJS.Timeout | undefined
  #end: Error | undefined
  #closing: Promise<void> | undefined

  constructor(database: Database, options: SqliteBrokerOptions) {
    const { address = options.path, leaseMs = 30_000, lockTimeoutMs = 5_000, now = Date.now } = options
    // A longer one would outlast the lease that it stands in for.
    const graceMs = Math.min(options.takeoverGraceMs ?? Math.min(1_000, leaseMs / 3), leaseMs)
    this.#address = address
    this.#database = database
    this.#now = now
    this.#leaseMs = leaseMs
    this.#file = new BrokerFile(database, { session: this.#session, leaseMs, graceMs })
    this.#commits = new GroupCommit(database, lockTimeoutMs, {
      begin: (blockedMs) => this.#file.begin(blockedMs),
      beforeCommit: () => this.#file.flush(this.#now()),
      rolledBack: () => this.#file.rolledBack(),
    })
    this.#wakeUp = new WakeUp(database, (error) => this.#fail(error))
    this.domain = database.domain
    this.closed = this.#onClosed.promise
    // Whoever wants to know asks; an ended connection must not end the process of somebody who does not.
    this.closed.catch(() => {})
    const data: LeaseKeeperData = { path: database.path, session: this.#session, leaseMs, graceMs }
    this.leaseKeeper = { module: keeperModule(), data }
  }

  declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    return this.#commit(() => this.#file.topology.declareExchange(exchange), options)
  }

  deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    return this.#commit(() => this.#file.topology.deleteExchange(name), options)
  }

  exchange(name: string, options?: AbortableOptions): Promise<ExchangeDeclaration | undefined> {
    return this.#read(() => this.#file.topology.exchange(name), options)
  }

  declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    return this.#commit((nowMs) => {
      const { topology, store } = this.#file
      for (const unused of topology.unusedQueues(nowMs)) this.#file.deleteQueue(unused)
      // An exclusive queue goes away with its owner, so there has to be one.
      if (queue.exclusive === true) this.#file.ensureOwner(nowMs)
      const row = topology.declareQueue(queue, this.#session, nowMs)
      this.#file.catchUp(nowMs)
      store.dropExpired(row, nowMs)
      return { name: queue.name, ...store.counts(row) }
    }, options)
  }

  deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    return this.#commit((nowMs) => {
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
    return this.#commit(() => this.#file.topology.bind(binding), options)
  }

  unbind(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#commit(() => this.#file.topology.unbind(binding), options)
  }

  async bindings(exchange: string, options?: AbortableOptions): Promise<readonly Binding[]> {
    const { topology } = this.#file
    const anyUnused = await this.#read(() => topology.unusedQueues(this.#now()).length > 0, options)
    if (anyUnused) {
      await this.#commit((nowMs) => {
        for (const unused of topology.unusedQueues(nowMs)) this.#file.deleteQueue(unused)
      }, options)
    }
    return this.#read(() => topology.bindings(exchange), options)
  }

  async purge(name: string, options?: AbortableOptions): Promise<number> {
    let purged = 0
    for (let found = purgePortion; found === purgePortion; ) {
      found = await this.#commit((nowMs) => {
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
      await this.#commit((nowMs) => this.#file.put(portion, nowMs), options, 'add')
    }
    this.#wakeUp.wake()
  }

  async fetch(queues: readonly string[], { max, signal }: FetchOptions): Promise<readonly Delivery[]> {
    for (;;) {
      const deliveries = await this.#commit((nowMs) => this.#file.take(queues, max, nowMs), { signal })
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
    const results = await this.#commit(run, options, wakes ? 'look' : 'end')
    if (wakes) this.#wakeUp.wake()
    return results
  }

  renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    return this.#commit((nowMs) => {
      const held = deliveries.map((delivery) => this.#file.claims.find(heldKey(delivery)))
      // A lease belongs to the owner: renewing one delivery renews all of ours.
      if (held.some((message) => message !== undefined)) this.#file.ownership.renew(nowMs)
      return held.map((message) => (message === undefined ? 'stale' : 'done'))
    }, options)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    if (this.#end !== undefined) return
    const error = new ConnectionClosedError(this.#address)
    this.#end = error
    clearInterval(this.#renewTimer)
    this.#wakeUp.fail(error)
    try {
      // The lease keeper makes an owner, too, so there may be one that this connection knows nothing of.
      const giveBack = (): void => this.#file.ownership.end()
      await this.#commits.submit(giveBack, { signal: AbortSignal.timeout(closeTimeoutMs) })
    } catch {
      // Locked for too long, or gone: what we held comes back when the lease ends, as it does after a crash.
    }
    this.#commits.abandon(error)
    this.#database.close()
    this.#onClosed.resolve()
  }

  /**
   * An operation in a transaction, which it may share with others. One that only adds or ends messages needs to know
   * nothing of the file beforehand, not even what was added in the same transaction.
   */
  async #commit<T>(
    run: (nowMs: number) => T,
    options: AbortableOptions | undefined,
    kind: 'look' | 'add' | 'end' = 'look',
  ): Promise<T> {
    if (this.#end !== undefined) throw this.#end
    const operation = (): T => {
      const nowMs = this.#now()
      if (kind === 'look') {
        this.#file.flush(nowMs)
        this.#file.refresh()
      }
      return run(nowMs)
    }
    try {
      const result = await this.#commits.submit(operation, options)
      if (this.#renewTimer === undefined && this.#file.hasOwner) this.#startRenewing()
      return result
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** Reads need no write lock. */
  async #read<T>(run: () => T, options: AbortableOptions | undefined): Promise<T> {
    if (this.#end !== undefined) throw this.#end
    const refreshed = (): T => {
      this.#file.begin()
      this.#file.refresh()
      return run()
    }
    try {
      return await withBusyRetry(refreshed, options)
    } catch (error) {
      throw this.#translate(error)
    }
  }

  async #untilWorthTaking(queues: readonly string[], signal: AbortSignal): Promise<void> {
    for (;;) {
      const count = this.#wakeUp.count
      if (this.#end !== undefined) throw this.#end
      if (await this.#read(() => this.#file.mayTake(queues, this.#now()), { signal })) return
      await this.#wakeUp.wait(count, { signal, timeoutMs: this.#idleMs(queues) })
    }
  }

  /** How long nothing can happen but by somebody's doing. */
  #idleMs(queues: readonly string[]): number | undefined {
    const expiries = queues.map((name) => this.#file.topology.queue(name)?.expiresMs)
    const touchMs = Math.min(...expiries.map((expiresMs) => (expiresMs ?? Number.POSITIVE_INFINITY) / 3))
    const changeMs = (this.#file.nextChangeMs ?? Number.POSITIVE_INFINITY) - this.#now()
    const idleMs = Math.min(touchMs, changeMs)
    return idleMs === Number.POSITIVE_INFINITY ? undefined : Math.min(Math.max(idleMs, 1), longestIdleMs)
  }

  /** For connections without a lease keeper: renews when nobody else has for half of the lease. */
  #startRenewing(): void {
    this.#renewTimer = setInterval(() => {
      this.#renewIfLate().catch(() => {
        // Locked or gone: the next operation says so to somebody who can act on it.
      })
    }, this.#leaseMs / 3).unref()
  }

  async #renewIfLate(): Promise<void> {
    const endsMs = await this.#read(() => this.#file.ownership.ownLeaseEndMs(), undefined)
    if (endsMs === undefined || endsMs - this.#now() > this.#leaseMs / 2) return
    await this.#commit((nowMs) => this.#file.ownership.renew(nowMs), undefined)
  }

  #translate(error: unknown): unknown {
    if (this.#end !== undefined && CeleryError.is(error, 'ERR_CELERY_DATABASE_UNAVAILABLE')) return this.#end
    const translated = toTransportError(this.#address, error, 'use')
    if (endsConnection(translated)) this.#fail(error)
    return translated
  }

  /** The connection ends because of an error. */
  #fail(error: unknown): void {
    const translated = toTransportError(this.#address, error, 'use')
    if (this.#end !== undefined || !endsConnection(translated)) return
    this.#end = translated
    clearInterval(this.#renewTimer)
    this.#wakeUp.fail(translated)
    this.#commits.abandon(translated)
    this.#database.close()
    this.#onClosed.reject(translated)
  }
}

const purgePortion = 1_000
const putPortion = 1_000
/** A stop must not wait for whoever has the file locked. */
const closeTimeoutMs = 500
/** The clock may be moved, by its owner or by a test, and nothing tells. */
const longestIdleMs = 250

/** Asked of Node rather than written down, because this file and that one lie elsewhere when run from their source. */
function keeperModule(): URL {
  return pathToFileURL(createRequire(import.meta.url).resolve('@celery/transport-sqlite/lease-keeper'))
}

function makesReady({ action, put }: VirtualSettlement): boolean {
  return (put !== undefined && put.length > 0) || (action !== undefined && action.type !== 'ack')
}
