import type { Database, Statement } from '@celery/sqlite'
import { deadLetterQueue } from '@celery/transport'
import type { Claims } from './claims.ts'
import type { HeldKey } from './fence.ts'
import { deadRank, type MessageStore } from './message-store.ts'
import { prepareAll, type Topology } from './topology.ts'

/** What nobody could deal with: one queue beside each queue, which keeps its messages as `deadLetterLimits` say. */
export class DeadLetters {
  readonly #topology: Topology
  readonly #store: MessageStore
  readonly #claims: Claims
  /** Names of the queues that may have too many now. */
  readonly #filled = new Set<string>()
  readonly #statements: Readonly<Record<keyof typeof sql, Statement>>

  constructor(database: Database, topology: Topology, store: MessageStore, claims: Claims) {
    this.#topology = topology
    this.#store = store
    this.#claims = claims
    this.#statements = prepareAll(database, sql)
  }

  /**
   * Moves a held message to the end of its dead-letter queue. Returns false where the message was not held. Call `trim` at
   * the end of the transaction.
   */
  bury(key: HeldKey, reason: string, nowMs: number): boolean {
    const held = this.#claims.find(key)
    if (held === undefined) return false
    const name = this.#topology.queueName(held.queue)
    if (name !== undefined) {
      const dead = this.#topology.ensureQueue(deadLetterQueue(name))
      const dropAtMs = dead.messageTtlMs === undefined ? null : nowMs + dead.messageTtlMs
      // Text in SQLite can hold neither a NUL nor half a surrogate pair, and a reason may quote anything.
      const text = reason.replaceAll('\0', '\uFFFD').toWellFormed()
      const { changes, lastInsertRowid } = this.#statements.copy.run([dead.id, dropAtMs, text, key.message])
      if (changes > 0) {
        const id = Number(lastInsertRowid)
        this.#store.ready.append(dead.id, deadRank, { first: id, last: id })
        this.#filled.add(dead.name)
      }
    }
    return this.#claims.end(key)
  }

  /** Removes the oldest that are too many by now. Once for all that a transaction has buried: counting takes its time. */
  trim(): void {
    if (this.#filled.size === 0) return
    this.#store.trimDead(this.#filled)
    this.#filled.clear()
  }
}

const sql = {
  copy: `INSERT OR IGNORE INTO message (queue, drop_at_ms, tag, dead_reason, payload)
    SELECT ?, ?, tag, ?, payload FROM message WHERE id = ?`,
} as const
