import { randomUUID } from 'node:crypto'
import { type AbortableOptions, CeleryError, deferred } from '@celery/promises'
import { type Database, withBusyRetry } from '@celery/sqlite'
import { ConnectionClosedError } from '@celery/transport'
import { endsConnection, toTransportError } from './broker-errors.ts'
import { BrokerFile } from './broker-file.ts'
import { GroupCommit } from './group-commit.ts'

export interface FileSessionOptions {
  /** For error messages. */
  readonly address: string
  readonly leaseMs: number
  readonly graceMs: number
  readonly lockTimeoutMs: number
  readonly now: () => number
  /** Nothing can be done with the file any more: the connection was closed, or it failed. */
  readonly onEnd: (error: Error) => void
}

/**
 * One connection at its file: operations become transactions, errors those of a transport, and its end is one for everybody.
 * Renews its leases where nobody else does.
 */
export class FileSession {
  /** Known in the file by this name. */
  readonly id: string = randomUUID()
  readonly file: BrokerFile
  readonly closed: Promise<void>
  readonly #database: Database
  readonly #options: FileSessionOptions
  readonly #commits: GroupCommit
  readonly #onClosed = deferred()
  #renewTimer: NodeJS.Timeout | undefined
  #end: Error | undefined
  #closing: Promise<void> | undefined

  constructor(database: Database, options: FileSessionOptions) {
    const { graceMs, leaseMs, lockTimeoutMs, now } = options
    this.#database = database
    this.#options = options
    const file = new BrokerFile(database, { session: this.id, leaseMs, graceMs })
    this.file = file
    this.#commits = new GroupCommit(database, lockTimeoutMs, {
      begin: (blockedMs) => file.begin(blockedMs),
      beforeCommit: () => file.flush(now()),
      rolledBack: () => file.rolledBack(),
    })
    this.closed = this.#onClosed.promise
    // Whoever wants to know asks; an ended connection must not end the process of somebody who does not.
    this.closed.catch(() => {})
  }

  /** @throws Error why the connection has ended, if it has */
  checkOpen(): void {
    if (this.#end !== undefined) throw this.#end
  }

  /**
   * An operation in a transaction, which it may share with others. One that only adds or ends messages needs to know
   * nothing of the file beforehand, not even what was added in the same transaction.
   */
  async commit<T>(
    run: (nowMs: number) => T,
    options?: AbortableOptions,
    kind: 'look' | 'add' | 'end' = 'look',
  ): Promise<T> {
    this.checkOpen()
    const operation = (): T => {
      const nowMs = this.#options.now()
      if (kind === 'look') {
        this.file.flush(nowMs)
        this.file.refresh()
      }
      return run(nowMs)
    }
    try {
      const result = await this.#commits.submit(operation, options)
      if (this.#renewTimer === undefined && this.file.hasOwner) this.#startRenewing()
      return result
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** Reads need no write lock. */
  async read<T>(run: (nowMs: number) => T, options?: AbortableOptions): Promise<T> {
    this.checkOpen()
    const refreshed = (): T => {
      this.file.begin()
      this.file.refresh()
      return run(this.#options.now())
    }
    try {
      return await withBusyRetry(refreshed, { ...options, deadlineMs: this.#options.lockTimeoutMs })
    } catch (error) {
      throw this.#translate(error)
    }
  }

  /** The connection ends because of an error, if it is one of that kind. */
  fail(error: unknown): void {
    const translated = toTransportError(this.#options.address, error, 'use')
    if (this.#end !== undefined || !endsConnection(translated)) return
    this.#finish(translated)
    this.#commits.abandon(translated)
    this.#database.close()
    this.#onClosed.reject(translated)
  }

  /** Gives back what is held. Safe twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#end !== undefined) return
    const error = new ConnectionClosedError(this.#options.address)
    this.#finish(error)
    try {
      // The lease keeper makes an owner, too, so there may be one that this connection knows nothing of.
      const giveBack = (): void => this.file.ownership.end()
      await this.#commits.submit(giveBack, { signal: AbortSignal.timeout(closeTimeoutMs) })
    } catch {
      // Locked for too long, or gone: what we held comes back when the lease ends, as it does after a crash.
    }
    this.#commits.abandon(error)
    this.#database.close()
    this.#onClosed.resolve()
  }

  #finish(error: Error): void {
    this.#end = error
    clearInterval(this.#renewTimer)
    this.#options.onEnd(error)
  }

  #translate(error: unknown): unknown {
    if (this.#end !== undefined && CeleryError.is(error, 'ERR_CELERY_DATABASE_UNAVAILABLE')) return this.#end
    const translated = toTransportError(this.#options.address, error, 'use')
    if (endsConnection(translated)) this.fail(error)
    return translated
  }

  /** For connections without a lease keeper, which would renew sooner. */
  #startRenewing(): void {
    this.#renewTimer = setInterval(() => {
      this.#renewIfLate().catch(() => {
        // Locked or gone: the next operation says so to somebody who can act on it.
      })
    }, this.#options.leaseMs / 8).unref()
  }

  async #renewIfLate(): Promise<void> {
    const { leaseMs } = this.#options
    const isLate = await this.read((nowMs) => {
      const endsMs = this.file.ownership.ownLeaseEndMs()
      return endsMs !== undefined && endsMs - nowMs <= 0.7 * leaseMs
    })
    if (isLate) await this.commit((nowMs) => this.file.ownership.renew(nowMs))
  }
}

/** A stop must not wait for whoever has the file locked. */
const closeTimeoutMs = 500
