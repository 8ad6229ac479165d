import { statSync } from 'node:fs'
import type { AbortableOptions } from '@celery/promises'
import { withBusyRetry } from './busy-retry.ts'
import { CheckedStatement } from './checked-statement.ts'
import type { Driver, DriverConnection } from './driver.ts'
import { DatabaseUnavailableError, translateError } from './errors.ts'
import { FileIdentity, prepareFile, refuseNetworkFileSystem } from './file-identity.ts'
import { libsqlDriver } from './libsql-driver.ts'
import { nodeDriver } from './node-driver.ts'
import { countPlaceholders } from './parameters.ts'
import type { Statement } from './statement.ts'
import { StuckLog } from './stuck-log.ts'

export interface OpenDatabaseOptions extends AbortableOptions {
  /**
   * Milliseconds for which a statement blocks the thread while another process has the file locked. Small, because
   * `withBusyRetry` waits without blocking. @defaultValue `5`
   */
  readonly busyTimeoutMs?: number
  /** Milliseconds to wait for a locked file when opening. @defaultValue `5_000` */
  readonly deadlineMs?: number
  /**
   * Size in bytes from which the log (`<path>-wal`) is copied into the file and emptied after a transaction. Raise it
   * where another thread calls `checkpoint`. @defaultValue `4_194_304`
   */
  readonly checkpointBytes?: number
  /**
   * Told when the log cannot be emptied after a transaction: what was committed is safe in it, but it grows. Not told
   * again until it could be. Must not throw. @defaultValue `process.emitWarning`
   */
  readonly onCheckpointError?: (error: Error) => void
  /** @defaultValue `node:sqlite` where Node has it, else `libsql` */
  readonly driver?: 'node:sqlite' | 'libsql'
}

/**
 * One connection to one file. Synchronous: every call blocks the thread for as long as SQLite takes, which is
 * microseconds, and where a transaction finds the log long, as long as the disk takes to empty it. Not shared between
 * threads; open one per thread.
 *
 * Every method may throw `DatabaseBusyError` or `DatabaseUnavailableError`.
 */
export interface Database {
  /** The file's real path, links resolved. */
  readonly path: string
  /** The `domain` of an `AtomicWrite` for this file: `sqlite:` and the path. */
  readonly domain: string
  /** Prepares one statement with plain `?` parameters. Keep it: preparing costs more than running. */
  prepare(sql: string): Statement
  /** Runs statements that have no parameters and whose rows nobody wants. */
  exec(sql: string): void
  /**
   * Runs `run` between BEGIN IMMEDIATE and COMMIT, or ROLLBACK if it throws. `run` is synchronous. While another
   * process writes it throws `DatabaseBusyError` before `run` is called; `withBusyRetry` tries again.
   * @throws TypeError where a transaction is already open: they do not nest
   */
  transaction<T>(run: () => T): T
  /**
   * Makes sure that the path still names the file that was opened; every transaction does so by itself.
   * @throws DatabaseUnavailableError with reason `moved`
   */
  checkPresent(): void
  /**
   * Whether the log has that many bytes and may be emptied. Each try holds up all writers for as long as somebody reads
   * an old state, so after one that failed it is not due for a while, which doubles up to a minute. Asks the file system only.
   */
  isCheckpointDue(bytes: number): boolean
  /**
   * Copies the log into the file and empties it. Returns whether it was emptied: readers or a writer may be in the way.
   * Blocks the thread for up to `busyTimeoutMs` for each of the two, and for the disk. @defaultValue `50`
   */
  checkpoint(busyTimeoutMs?: number): boolean
  /** Changes when another connection has committed. */
  dataVersion(): number
  /** What SQLite finds wrong with the file; empty when it is sound. Reads the whole file. */
  integrityCheck(): string[]
  /** Safe twice. Statements are of no use afterwards. */
  close(): void
}

/**
 * Opens a file in WAL mode with `synchronous=NORMAL`: what was committed survives the death of every process, though not
 * always of the machine. Makes the folder (0700) and the file (0600) where missing.
 * @throws DatabaseUnavailableError, DatabaseBusyError
 */
export async function openDatabase(path: string, options: OpenDatabaseOptions = {}): Promise<Database> {
  const { busyTimeoutMs = 5, deadlineMs, signal } = options
  const log: LogOptions = {
    checkpointBytes: options.checkpointBytes ?? 4_194_304,
    onCheckpointError: options.onCheckpointError ?? ((error) => process.emitWarning(error)),
  }
  const driver = await loadDriver(options.driver)
  const real = prepareFile(path)
  refuseNetworkFileSystem(real)
  const open = (): Database => OpenedDatabase.open(real, driver, busyTimeoutMs, log)
  // Changing to WAL needs the file for itself for a moment.
  return withBusyRetry(open, { signal, ...(deadlineMs === undefined ? {} : { deadlineMs }) })
}

async function loadDriver(wanted: OpenDatabaseOptions['driver']): Promise<Driver> {
  const builtIn = wanted === 'libsql' ? undefined : nodeDriver()
  if (builtIn !== undefined) return builtIn
  if (wanted === 'node:sqlite') throw new TypeError(`Node ${process.version} has no usable node:sqlite`)
  return libsqlDriver()
}

/** Asking for the size of the log costs a system call. */
const transactionsPerLook = 16

/** How the log is looked after. */
type LogOptions = Required<Pick<OpenDatabaseOptions, 'checkpointBytes' | 'onCheckpointError'>>

class OpenedDatabase implements Database {
  readonly path: string
  readonly domain: string
  readonly #connection: DriverConnection
  readonly #busyTimeoutMs: number
  readonly #identity: FileIdentity
  readonly #log: LogOptions
  readonly #dataVersion: Statement
  readonly #checkpoint: Statement
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #stuckLog = new StuckLog()
  #transactions = 0
  /** The last look found a log that could not be emptied. */
  #logIsStuck = false
  #inTransaction = false
  #closed = false

  static open(path: string, driver: Driver, busyTimeoutMs: number, log: LogOptions): Database {
    let connection: DriverConnection | undefined
    try {
      connection = driver.open(path, busyTimeoutMs)
      connection.exec('PRAGMA journal_mode = WAL')
      connection.exec('PRAGMA synchronous = NORMAL')
      // Ours instead: see #checkpointIfLarge.
      connection.exec('PRAGMA wal_autocheckpoint = 0')
      return new OpenedDatabase(path, connection, busyTimeoutMs, log)
    } catch (error) {
      connection?.close()
      throw translateError(path, error)
    }
  }

  private constructor(path: string, connection: DriverConnection, busyTimeoutMs: number, log: LogOptions) {
    this.path = path
    this.domain = `sqlite:${path}`
    this.#connection = connection
    this.#busyTimeoutMs = busyTimeoutMs
    this.#log = log
    this.#identity = new FileIdentity(path)
    this.#dataVersion = this.prepare('PRAGMA data_version')
    this.#checkpoint = this.prepare('PRAGMA wal_checkpoint(TRUNCATE)')
    this.#begin = this.prepare('BEGIN IMMEDIATE')
    this.#commit = this.prepare('COMMIT')
  }

  prepare(sql: string): Statement {
    this.#checkOpen()
    const count = countPlaceholders(sql)
    try {
      return new CheckedStatement(this.path, sql, count, this.#connection.prepare(sql))
    } catch (error) {
      throw translateError(this.path, error)
    }
  }

  exec(sql: string): void {
    this.#checkOpen()
    try {
      this.#connection.exec(sql)
    } catch (error) {
      throw translateError(this.path, error)
    }
  }

  transaction<T>(run: () => T): T {
    if (this.#inTransaction) throw new TypeError('a transaction is already open on this connection: they do not nest')
    this.#begin.run([])
    this.#inTransaction = true
    let result: T
    try {
      this.#identity.check()
      result = run()
      if (result instanceof Promise)
        throw new TypeError('a transaction is synchronous: its function returned a promise')
      this.#commit.run([])
    } catch (error) {
      this.#rollBack()
      throw error
    } finally {
      this.#inTransaction = false
    }
    this.#checkpointIfLarge()
    return result
  }

  #rollBack(): void {
    try {
      this.#connection.exec('ROLLBACK')
    } catch {
      // Some errors (disk full, input and output) have rolled back already, and there is no transaction left to end.
    }
  }

  checkPresent(): void {
    this.#identity.check()
  }

  isCheckpointDue(bytes: number): boolean {
    try {
      const log = statSync(`${this.path}-wal`, { throwIfNoEntry: false })
      return (log?.size ?? 0) >= bytes && this.#stuckLog.mayTry()
    } catch (cause) {
      throw new DatabaseUnavailableError(this.path, 'io', { cause })
    }
  }

  checkpoint(busyTimeoutMs = 50): boolean {
    this.#checkOpen()
    // Longer than for statements: where SQLite does not get the writer's lock it copies beside the writers instead.
    this.#connection.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
    let emptied = false
    try {
      emptied = this.#checkpoint.values([])[0]?.[0] === 0
      return emptied
    } finally {
      this.#stuckLog.tried(emptied)
      this.#connection.exec(`PRAGMA busy_timeout = ${this.#busyTimeoutMs}`)
    }
  }

  /**
   * SQLite's own automatic checkpoint runs beside other writers, and up to 3.51.2 two of them can, very rarely, damage
   * the file (https://sqlite.org/wal.html#walresetbug). This kind keeps writers out while it runs, if it can.
   */
  #checkpointIfLarge(): void {
    if (++this.#transactions % transactionsPerLook !== 0) return
    try {
      if (!this.isCheckpointDue(this.#log.checkpointBytes)) return
      this.checkpoint()
      this.#logIsStuck = false
    } catch (error) {
      // The transaction is committed and safe in the log. Whatever this is, a caller that took it for a failure would do
      // everything again, and never hear of what it had taken the first time. The next look tries again; what is wrong
      // for good shows when the log cannot grow any more.
      if (!this.#logIsStuck) this.#log.onCheckpointError(error as Error)
      this.#logIsStuck = true
    }
  }

  dataVersion(): number {
    return this.#dataVersion.values([])[0]?.[0] as number
  }

  integrityCheck(): string[] {
    const lines = this.prepare('PRAGMA integrity_check')
      .values([])
      .map(([line]) => String(line))
    return lines.length === 1 && lines[0] === 'ok' ? [] : lines
  }

  close(): void {
    if (this.#closed) return
    try {
      // libsql keeps the file open until its statements are collected, so the last one out would not tidy up.
      this.checkpoint()
    } catch {
      // Tidying only: what is in the log is found there by the next to open the file.
    }
    this.#closed = true
    this.#connection.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw new DatabaseUnavailableError(this.path, 'closed')
  }
}
