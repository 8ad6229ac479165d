import { CeleryError } from '@celery/promises'

/** Another process kept the file locked for longer than we were to wait. Nothing was changed; safe to try again. */
export class DatabaseBusyError extends CeleryError {
  override readonly name = 'DatabaseBusyError'
  readonly code = 'ERR_CELERY_DATABASE_BUSY'
  readonly path: string

  constructor(path: string, options?: ErrorOptions) {
    super(
      `${path} is locked by another connection: try again, or look for a process that keeps a transaction open`,
      options,
    )
    this.path = path
  }
}

export type UnavailableReason =
  | 'moved'
  | 'full'
  | 'read-only'
  | 'cannot-open'
  | 'not-a-file'
  | 'not-a-database'
  | 'corrupt'
  | 'io'
  | 'network-file-system'
  | 'closed'

const advice: Readonly<Record<UnavailableReason, string>> = {
  moved: 'was moved, deleted or replaced while in use: put it back, or reopen to start with the file that is there now',
  full: 'cannot grow because the disk is full: free some space',
  'read-only': 'is not writable: check the permissions of the file and its folder',
  'cannot-open': 'cannot be opened: check that the folder exists and its permissions',
  'not-a-file': 'is a folder, a device or the like, and no file: choose another path',
  'not-a-database': 'is not an SQLite database: move it away or choose another path',
  corrupt: 'is damaged: stop all its users and restore it from a copy',
  io: 'cannot be read or written: check the disk',
  'network-file-system': 'is on a network file system, where locks cannot be trusted: choose a path on a local disk',
  closed: 'was closed by this process',
}

/** The file cannot be used as it is. What was not committed did not happen; trying again helps once the cause is gone. */
export class DatabaseUnavailableError extends CeleryError {
  override readonly name = 'DatabaseUnavailableError'
  readonly code = 'ERR_CELERY_DATABASE_UNAVAILABLE'
  readonly path: string
  readonly reason: UnavailableReason

  constructor(path: string, reason: UnavailableReason, options?: ErrorOptions) {
    super(`${path} ${advice[reason]}`, options)
    this.path = path
    this.reason = reason
  }
}

/** A URL from which no file can be read. Nothing was opened. */
export class InvalidDatabaseUrlError extends CeleryError {
  override readonly name = 'InvalidDatabaseUrlError'
  readonly code = 'ERR_CELERY_INVALID_DATABASE_URL'
  readonly reason: string

  constructor(scheme: string | undefined, reason: string) {
    super(`database URL${scheme === undefined ? '' : ` "${scheme}://…"`} is not valid: ${reason}`)
    this.reason = reason
  }
}

/** SQLite's primary result codes (https://sqlite.org/rescode.html) that say something about the file, not the statement. */
const reasonByResultCode: ReadonlyMap<number, UnavailableReason> = new Map([
  [8, 'read-only'],
  [10, 'io'],
  [11, 'corrupt'],
  [13, 'full'],
  [14, 'cannot-open'],
  [26, 'not-a-database'],
])

/** BUSY, LOCKED, and PROTOCOL: in WAL mode, too many lost races for a lock (https://sqlite.org/rescode.html#protocol). */
const busyCodes: ReadonlySet<number> = new Set([5, 6, 15])

/** Gives a driver's error the class by which callers handle it; an error of the statement itself stays what it is. */
export function translateError(path: string, error: unknown): unknown {
  const code = resultCode(error)
  if (code === undefined) return error
  if (busyCodes.has(code)) return new DatabaseBusyError(path, { cause: error })
  const reason = reasonByResultCode.get(code)
  return reason === undefined ? error : new DatabaseUnavailableError(path, reason, { cause: error })
}

/** The primary result code: `node:sqlite` has it as `errcode`, libsql as `rawCode`, or only in the text when opening fails. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  const { errcode, rawCode } = error as { errcode?: unknown; rawCode?: unknown }
  const extended = errcode ?? rawCode
  if (typeof extended === 'number') return extended & 0xff
  return error.message.startsWith('ConnectionFailed') ? 14 : undefined
}
