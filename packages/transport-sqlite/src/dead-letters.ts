import type { Database, Statement } from '@celery/sqlite'
import { deadLetterQueue } from '@celery/transport'
import type { Claims } from './claims.ts'
import type { HeldKey } from './fence.ts'
import type { MessageStore } from './message-store.ts'
import { prepareAll, type Topology } from './topology.ts'

/** What nobody could deal with: one queue beside each queue, which keeps the newest 10,000 messages for seven days. */
export class DeadLetters {
  readonly #topology: Topology
  readonly #store: MessageStore
  readonly #claims: Claims
  readonly #statements: Readonly<Record<keyof typeof sql, Statement>>

  constructor(database: Database, topology: Topology, store: MessageStore, claims: Claims) {
    this.#topology = topology
    this.#store = store
    this.#claims = claims
    this.#statements = prepareAll(database, sql)
  }

  /** Moves a held message to the end of its dead-letter queue. Returns false where the message was not held. */
  bury(key: HeldKey, reason: string, nowMs: number): boolean {
    const held = this.#claims.find(key)
    if (held === undefined) return false
    const name = this.#topology.queueName(held.queue)
    if (name !== undefined) {
      const declaration = { name: deadLetterQueue(name), messageTtlMs: timeToLiveMs }
      const dead = this.#topology.declareQueue(declaration, '', nowMs)
      const dropAtMs = nowMs + (dead.messageTtlMs ?? timeToLiveMs)
      // Text cannot hold a NUL in SQLite, and a reason may quote anything.
      const text = reason.replaceAll('\0', '\uFFFD')
      const { changes, lastInsertRowid } = this.#statements.copy.run([dead.id, dropAtMs, text, key.message])
      if (changes > 0) {
        const id = Number(lastInsertRowid)
        this.#store.ready.append(dead.id, held.rank, { first: id, last: id })
      }
      const surplus = this.#store.ready.count(dead) - maxMessages
      if (surplus > 0) this.#store.purgePortion(dead, surplus)
    }
    return this.#claims.end(key)
  }
}

const maxMessages = 10_000
const timeToLiveMs = 7 * 24 * 3_600_000

const sql = {
  copy: `INSERT OR IGNORE INTO message (queue, drop_at_ms, tag, dead_reason, payload)
    SELECT ?, ?, tag, ?, payload FROM message WHERE id = ?`,
} as const
