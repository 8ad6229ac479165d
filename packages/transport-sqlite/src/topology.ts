import type { Database, Statement } from '@celery/sqlite'
import {
  type Binding,
  deadLetterLimits,
  type ExchangeDeclaration,
  isDeadLetterQueue,
  type QueueDeclaration,
} from '@celery/transport'

/** What is remembered of a queue. */
export interface QueueRow {
  readonly id: number
  readonly name: string
  /** After which its messages go away; in a dead-letter queue they do, whoever declared it, if anybody has. */
  readonly messageTtlMs: number | undefined
  /** Whether it holds dead letters: the newest so many, in the order in which they came. */
  readonly keepsDead: boolean
  readonly expiresMs: number | undefined
  readonly autoDelete: boolean
}

/**
 * Exchanges, queues and bindings, remembered for as long as nobody has changed them. Call `refresh` first in every
 * transaction; the other methods belong into that transaction.
 */
export class Topology {
  readonly #queues = new Map<string, QueueRow>()
  readonly #names = new Map<number, string>()
  readonly #exchanges = new Map<string, ExchangeDeclaration | undefined>()
  readonly #bindings = new Map<string, readonly Binding[]>()
  #version: unknown
  readonly #statements: Readonly<Record<keyof typeof sql, Statement>>

  constructor(database: Database) {
    this.#statements = prepareAll(database, sql)
  }

  /** Forgets everything unless `version` is still the number in the file. */
  refresh(version: unknown): void {
    if (version === this.#version) return
    this.forget()
    this.#version = version
  }

  /** After a transaction that was rolled back: what was remembered in it may never have been. */
  forget(): void {
    this.#version = undefined
    this.#queues.clear()
    this.#names.clear()
    this.#exchanges.clear()
    this.#bindings.clear()
  }

  queue(name: string): QueueRow | undefined {
    const known = this.#queues.get(name)
    if (known !== undefined) return known
    const row = this.#statements.queue.values([name])[0]
    if (row === undefined) return undefined
    const [id, messageTtlMs, expiresMs, autoDelete] = row as [number, number | null, number | null, number]
    const keepsDead = isDeadLetterQueue(name)
    return this.#remember({
      id,
      name,
      messageTtlMs: messageTtlMs ?? (keepsDead ? deadLetterLimits.messageTtlMs : undefined),
      keepsDead,
      expiresMs: expiresMs ?? undefined,
      autoDelete: autoDelete === 1,
    })
  }

  /** Makes the queue if it is not there. */
  ensureQueue(name: string): QueueRow {
    const known = this.queue(name)
    if (known !== undefined) return known
    this.#statements.insertQueue.run([name])
    this.#changed()
    return this.queue(name) as QueueRow
  }

  /** The first declaration counts; the queue is what it says until it goes away. */
  declareQueue(declaration: QueueDeclaration, session: string, nowMs: number): QueueRow {
    const { name, messageTtlMs, expiresMs, autoDelete, exclusive } = declaration
    this.ensureQueue(name)
    const first = this.#statements.declareQueue.run([
      messageTtlMs ?? null,
      expiresMs ?? null,
      autoDelete === true,
      exclusive === true ? session : null,
      name,
    ])
    if (first.changes > 0) this.#changed()
    const queue = this.queue(name) as QueueRow
    if (queue.expiresMs !== undefined) this.touch(queue, nowMs)
    return queue
  }

  /** A queue that goes away when it is not used was used now. */
  touch(queue: QueueRow, nowMs: number): void {
    this.#statements.touch.run([nowMs, queue.id])
  }

  /** Removes the queue and its bindings. Its messages are the caller's to remove. */
  deleteQueue(queue: QueueRow): void {
    this.#statements.deleteBindingsOfQueue.run([queue.name])
    this.#statements.deleteConsumers.run([queue.id])
    this.#statements.deleteQueue.run([queue.id])
    this.#changed()
  }

  /** Queues that go away because nobody has used them for long enough. */
  unusedQueues(nowMs: number): readonly QueueRow[] {
    return this.#rows(this.#statements.unused.values([nowMs]))
  }

  /** Queues that were declared for that session alone, or lose their last consumer with it. Forgets its consumers. */
  queuesThatEndWith(session: string): readonly QueueRow[] {
    const ending = this.#rows(this.#statements.endWith.values([session, session, session]))
    this.#statements.deleteConsumersOfSession.run([session])
    return ending
  }

  addConsumer(queue: QueueRow, session: string): void {
    this.#statements.addConsumer.run([queue.id, session])
  }

  exchange(name: string): ExchangeDeclaration | undefined {
    if (this.#exchanges.has(name)) return this.#exchanges.get(name)
    const text = this.#statements.exchange.values([name])[0]?.[0]
    const declaration = typeof text === 'string' ? (JSON.parse(text) as ExchangeDeclaration) : undefined
    this.#exchanges.set(name, declaration)
    return declaration
  }

  declareExchange(exchange: ExchangeDeclaration): void {
    if (this.#statements.insertExchange.run([exchange.name, JSON.stringify(exchange)]).changes > 0) this.#changed()
  }

  deleteExchange(name: string): void {
    this.#statements.deleteBindingsOfExchange.run([name])
    this.#statements.deleteExchange.run([name])
    this.#changed()
  }

  bindings(exchange: string): readonly Binding[] {
    const known = this.#bindings.get(exchange)
    if (known !== undefined) return known
    const rows = this.#statements.bindings.values([exchange])
    const bindings = rows.map(([queue, routingKey]) => ({
      exchange,
      queue: String(queue),
      routingKey: String(routingKey),
    }))
    this.#bindings.set(exchange, bindings)
    return bindings
  }

  bind({ exchange, queue, routingKey }: Binding): void {
    if (this.#statements.bind.run([exchange, queue, routingKey]).changes > 0) this.#changed()
  }

  unbind({ exchange, queue, routingKey }: Binding): void {
    if (this.#statements.unbind.run([exchange, queue, routingKey]).changes > 0) this.#changed()
  }

  queueName(id: number): string | undefined {
    const known = this.#names.get(id)
    if (known !== undefined) return known
    const name = this.#statements.queueName.values([id])[0]?.[0]
    return typeof name === 'string' ? this.queue(name)?.name : undefined
  }

  #rows(rows: readonly (readonly unknown[])[]): readonly QueueRow[] {
    return rows.map(([name]) => this.queue(String(name))).filter((queue) => queue !== undefined)
  }

  #remember(queue: QueueRow): QueueRow {
    this.#queues.set(queue.name, queue)
    this.#names.set(queue.id, queue.name)
    return queue
  }

  #changed(): void {
    this.#statements.bumpVersion.run([])
    this.forget()
  }
}

const sql = {
  bumpVersion: 'UPDATE topology SET version = version + 1',
  queue: 'SELECT id, message_ttl_ms, expires_ms, auto_delete FROM queue WHERE name = ?',
  queueName: 'SELECT name FROM queue WHERE id = ?',
  insertQueue: 'INSERT INTO queue (name) VALUES (?)',
  declareQueue: `UPDATE queue SET declared = 1, message_ttl_ms = ?, expires_ms = ?, auto_delete = ?, exclusive_session = ?
    WHERE name = ? AND declared = 0`,
  touch: 'UPDATE queue SET last_used_ms = ? WHERE id = ?',
  deleteQueue: 'DELETE FROM queue WHERE id = ?',
  unused: 'SELECT name FROM queue WHERE expires_ms IS NOT NULL AND last_used_ms + expires_ms <= ?',
  endWith: `SELECT name FROM queue WHERE exclusive_session = ? OR (auto_delete = 1
    AND EXISTS (SELECT 1 FROM consumer c WHERE c.queue = queue.id AND c.session = ?)
    AND NOT EXISTS (SELECT 1 FROM consumer c WHERE c.queue = queue.id AND c.session <> ?))`,
  addConsumer: 'INSERT OR IGNORE INTO consumer (queue, session) VALUES (?, ?)',
  deleteConsumers: 'DELETE FROM consumer WHERE queue = ?',
  deleteConsumersOfSession: 'DELETE FROM consumer WHERE session = ?',
  exchange: 'SELECT declaration FROM exchange WHERE name = ?',
  insertExchange: 'INSERT OR IGNORE INTO exchange (name, declaration) VALUES (?, ?)',
  deleteExchange: 'DELETE FROM exchange WHERE name = ?',
  bindings: 'SELECT queue, routing_key FROM binding WHERE exchange = ?',
  bind: 'INSERT OR IGNORE INTO binding (exchange, queue, routing_key) VALUES (?, ?, ?)',
  unbind: 'DELETE FROM binding WHERE exchange = ? AND queue = ? AND routing_key = ?',
  deleteBindingsOfQueue: 'DELETE FROM binding WHERE queue = ?',
  deleteBindingsOfExchange: 'DELETE FROM binding WHERE exchange = ?',
} as const

/** Prepares every statement of a table of them. */
export function prepareAll<K extends string>(
  database: Database,
  texts: Readonly<Record<K, string>>,
): Readonly<Record<K, Statement>> {
  const entries = Object.entries<string>(texts).map(([name, text]) => [name, database.prepare(text)])
  return Object.fromEntries(entries) as Record<K, Statement>
}
