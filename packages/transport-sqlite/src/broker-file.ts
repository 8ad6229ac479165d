import type { Database, Statement } from '@celery/sqlite'
import type { Delivery } from '@celery/transport'
import type { QueueMessage } from '@celery/transport/virtual'
import { Claims } from './claims.ts'
import { DeadLetters } from './dead-letters.ts'
import { MessageStore } from './message-store.ts'
import { claimsPerOwner, Ownership } from './ownership.ts'
import { Settler } from './settle-messages.ts'
import { type QueueRow, Topology } from './topology.ts'

/** The broker's synchronous half: what one connection does to the file, to be called inside transactions. */
export class BrokerFile {
  readonly topology: Topology
  readonly store: MessageStore
  readonly claims: Claims
  readonly ownership: Ownership
  readonly settler: Settler
  readonly #session: string
  readonly #leaseMs: number
  readonly #overview: Statement
  /** The owner under which this connection holds messages; 0 before the first. */
  #owner = 0
  #ownLeaseEndMs: number | undefined
  #isFresh = false
  #blockedMs = 0
  #unwritten: QueueMessage[] = []
  #nextClaim = 0
  #nextDueMs: number | undefined
  #nextLeaseEndMs: number | undefined
  /** When the newest lease began. */
  #lastLeaseBeginMs = 0
  /** Which queue has the first turn in the next fetch. */
  #turn = 0

  constructor(
    database: Database,
    options: { readonly session: string; readonly leaseMs: number; readonly graceMs: number },
  ) {
    this.#session = options.session
    this.#leaseMs = options.leaseMs
    this.topology = new Topology(database)
    this.claims = new Claims(database)
    this.store = new MessageStore(database, this.topology, this.claims)
    const { topology, store, claims } = this
    this.ownership = new Ownership(database, { ...options, topology, store, claims })
    this.settler = new Settler(database, store, claims, new DeadLetters(database, topology, store, claims))
    this.#overview = database.prepare(overviewSql)
  }

  /** A transaction begins: nothing that was read before counts. `blockedMs`: for how long nobody could write before it. */
  begin(blockedMs = 0): void {
    this.#isFresh = false
    this.#blockedMs = blockedMs
    this.#unwritten = []
  }

  /** Adds messages in their order. They are written together with those of other calls, by `flush` at the latest. */
  put(messages: readonly QueueMessage[], nowMs: number): void {
    for (const message of messages) this.#unwritten.push(message)
    if (this.#unwritten.length >= mostUnwritten) this.flush(nowMs)
  }

  /** Writes what `put` has not written yet. Before anything that looks for messages, and before the end. */
  flush(nowMs: number): void {
    if (this.#unwritten.length === 0) return
    const messages = this.#unwritten
    this.#unwritten = []
    this.refresh()
    this.store.put(messages, nowMs)
  }

  /** What was read or begun in the transaction may never have been; `refresh` finds out. */
  rolledBack(): void {
    this.#isFresh = false
    this.topology.forget()
  }

  /** Reads, once in a transaction, what nearly every operation wants to know. */
  refresh(): void {
    if (this.#isFresh) return
    const row = this.#overview.values([this.#owner, this.#session])[0] as (number | null)[]
    this.topology.refresh(row[0])
    this.#ownLeaseEndMs = row[1] ?? undefined
    this.#nextDueMs = row[2] ?? undefined
    this.#nextLeaseEndMs = row[3] ?? undefined
    this.#lastLeaseBeginMs = row[4] ?? 0
    this.#isFresh = true
  }

  get hasOwner(): boolean {
    return this.#owner !== 0
  }

  /**
   * Milliseconds for which nothing can be taken unless somebody puts it there: 0 where something may be there now,
   * `undefined` for ever. Only reads, so that many idle processes do not queue up for the write lock. Refresh first.
   */
  idleMs(names: readonly string[], nowMs: number): number | undefined {
    if (this.#mayTake(names, nowMs)) return 0
    const expiries = names.map((name) => this.topology.queue(name)?.expiresMs)
    // Queues that go away when nobody uses them are to see that somebody does.
    const touchMs = Math.min(...expiries.map((expiresMs) => (expiresMs ?? Number.POSITIVE_INFINITY) / 3))
    const changeMs = (this.#nextChangeMs ?? Number.POSITIVE_INFINITY) - nowMs
    const idleMs = Math.max(1, Math.min(touchMs, changeMs))
    return idleMs === Number.POSITIVE_INFINITY ? undefined : idleMs
  }

  /** When time alone may bring a message: one is due, or a lease ends. As of the last `refresh`. */
  get #nextChangeMs(): number | undefined {
    if (this.#nextDueMs === undefined) return this.#nextLeaseEndMs
    return this.#nextLeaseEndMs === undefined ? this.#nextDueMs : Math.min(this.#nextDueMs, this.#nextLeaseEndMs)
  }

  /** Whether `take` may find something. */
  #mayTake(names: readonly string[], nowMs: number): boolean {
    const next = this.#nextChangeMs
    if ((next !== undefined && next <= nowMs) || this.#lastLeaseBeginMs > nowMs) return true
    return names.some((name) => {
      const queue = this.topology.queue(name)
      return queue !== undefined && this.store.ready.has(queue)
    })
  }

  /** Makes sure that this session has an owner in the file whose lease is good for a while. */
  ensureOwner(nowMs: number): void {
    const enough = nowMs + (2 / 3) * this.#leaseMs
    if (this.#ownLeaseEndMs === undefined || this.#ownLeaseEndMs < enough) this.#beginOwner(nowMs)
  }

  #beginOwner(nowMs: number): void {
    this.#owner = this.ownership.begin(nowMs)
    this.#ownLeaseEndMs = nowMs + this.#leaseMs
    this.#nextClaim = this.#owner * claimsPerOwner
  }

  /** Lets time pass: what is due becomes ready, and what lost owners held comes back. */
  catchUp(nowMs: number): void {
    if (this.#lastLeaseBeginMs > nowMs) {
      this.ownership.shorten(nowMs)
      this.#isFresh = false
    }
    if (this.ownership.excuse(nowMs, this.#blockedMs)) this.#isFresh = false
    this.refresh()
    const next = this.#nextChangeMs
    if (next === undefined || next > nowMs) return
    this.store.releaseDue(nowMs)
    this.ownership.takeOverExpired(nowMs)
  }

  /** Moves up to `max` messages from ready to held, one from each queue in turn as long as they have any. */
  take(names: readonly string[], max: number, nowMs: number): Delivery[] {
    this.catchUp(nowMs)
    const queues = this.#consumed(names, nowMs)
    if (queues.length === 0) return []
    const first = queues.length === 1 ? 0 : this.#turn++ % queues.length
    let open = [...queues.slice(first), ...queues.slice(0, first)]
    const taken = new Map<QueueRow, Delivery[]>(open.map((queue) => [queue, []]))
    let left = Math.min(max, longestFetch)
    const newClaim = (): number => this.#newClaim(nowMs)
    // Equal shares first, then what some did not use goes to those that have more.
    while (left > 0 && open.length > 0) {
      const hungry: QueueRow[] = []
      for (let index = 0; index < open.length && left > 0; index++) {
        const queue = open[index] as QueueRow
        const share = Math.ceil(left / (open.length - index))
        const deliveries = this.store.take(queue, share, newClaim, nowMs)
        left -= deliveries.length
        if (deliveries.length === share) hungry.push(queue)
        taken.get(queue)?.push(...deliveries)
      }
      open = hungry
    }
    return interleave([...taken.values()])
  }

  /** A number that no fetch had before. */
  #newClaim(nowMs: number): number {
    this.ensureOwner(nowMs)
    if (this.#nextClaim >= (this.#owner + 1) * claimsPerOwner) this.#beginOwner(nowMs)
    return this.#nextClaim++
  }

  /** The queues that there are; says of those that care that they have a consumer. */
  #consumed(names: readonly string[], nowMs: number): QueueRow[] {
    const queues: QueueRow[] = []
    for (const name of names) {
      const queue = this.topology.queue(name)
      if (queue === undefined) continue
      queues.push(queue)
      if (queue.expiresMs !== undefined) this.topology.touch(queue, nowMs)
      if (queue.autoDelete) {
        this.ensureOwner(nowMs)
        this.topology.addConsumer(queue, this.#session)
      }
    }
    return queues
  }

  /** Removes the queues that nobody has used for their time. */
  deleteUnused(nowMs: number): void {
    for (const unused of this.topology.unusedQueues(nowMs)) this.deleteQueue(unused)
  }

  deleteQueue(queue: QueueRow): void {
    this.store.removeAll(queue)
    this.topology.deleteQueue(queue)
  }
}

/** So that the time a transaction takes shows while it runs. */
const mostUnwritten = 128
/** More would keep the event loop waiting; the caller fetches again. */
const longestFetch = 1_000

/** By session too: the id of an owner whose beginning was rolled back goes to whoever begins next. */
const overviewSql = `SELECT
  (SELECT version FROM topology),
  (SELECT lease_until_ms FROM owner WHERE id = ? AND session = ?),
  (SELECT min(until_ms) FROM delayed),
  (SELECT min(lease_until_ms) FROM owner),
  (SELECT max(lease_until_ms - lease_ms) FROM owner)`

/** One from each list in turn. */
function interleave(lists: readonly Delivery[][]): Delivery[] {
  const filled = lists.filter((list) => list.length > 0)
  if (filled.length <= 1) return filled[0] ?? []
  const merged: Delivery[] = []
  const longest = Math.max(...filled.map((list) => list.length))
  for (let index = 0; index < longest; index++) {
    for (const list of filled) {
      const delivery = list[index]
      if (delivery !== undefined) merged.push(delivery)
    }
  }
  return merged
}
