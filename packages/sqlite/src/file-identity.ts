import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  realpathSync,
  statfsSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { DatabaseUnavailableError, type UnavailableReason } from './errors.ts'

/** Makes the folder (0700) and an empty file (0600) where they are missing; resolves links, so that one file has one name. */
export function prepareFile(path: string): string {
  if (path === '' || path === ':memory:') {
    throw new TypeError(`"${path}" names no file, and without one there is nothing to share between connections`)
  }
  const wanted = resolve(path)
  try {
    makeFolder(dirname(wanted))
    const real = join(realpathSync(dirname(wanted)), basename(wanted))
    if (!existsSync(real)) createEmptyFile(real)
    // Asked of the path: opening a pipe or a device may wait for ever, or do something.
    else if (!statSync(real).isFile()) throw new DatabaseUnavailableError(wanted, 'not-a-file')
    return realpathSync(real)
  } catch (error) {
    if (error instanceof DatabaseUnavailableError) throw error
    const { code } = error as NodeJS.ErrnoException
    throw new DatabaseUnavailableError(wanted, reasonByErrno[code ?? ''] ?? 'cannot-open', { cause: error })
  }
}

const reasonByErrno: Readonly<Record<string, UnavailableReason>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'read-only',
}

/** Not by Node's `recursive`, which never returns where the file system says "no such folder" of a folder to be made, as `/proc` does. */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  const parent = dirname(path)
  // The root of a drive that is not there is its own.
  if (parent !== path) makeFolder(parent)
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process was first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/**
 * The database itself must never be opened and closed here: closing any descriptor of a file drops every lock that this
 * process holds on it, those of SQLite's own connections too, and the next process to leave deletes the log that this
 * one still writes (sqlite.org/howtocorrupt.html, section 2.2). So the file is made under another name, and linked.
 */
function createEmptyFile(path: string): void {
  const temporary = `${path}.${randomUUID()}.new`
  closeSync(openSync(temporary, 'wx', 0o600))
  try {
    linkSync(temporary, path)
  } catch (error) {
    // Another process was first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(temporary)
  }
}

/** Types of network file systems, from Linux's `statfs(2)`. Elsewhere the numbers mean other things. */
const networkFileSystems: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x01021997, // 9P: how a virtual machine sees its host's folders
  0x5346414f, // AFS
  0x00c36400, // Ceph
  0x0bd00bd0, // Lustre
])

/** SQLite's locks and its shared memory do not work between two machines. */
export function refuseNetworkFileSystem(path: string): void {
  if (process.platform !== 'linux') return
  const type = ask(path, () => statfsSync(path).type >>> 0)
  if (networkFileSystems.has(type)) throw new DatabaseUnavailableError(path, 'network-file-system')
}

/**
 * Remembers which file `path` names. A connection keeps writing into a file that was moved or deleted under it, where
 * nobody will ever read it, so every transaction asks first.
 */
export class FileIdentity {
  readonly #path: string
  readonly #device: number
  readonly #inode: number

  constructor(path: string) {
    const { dev, ino } = ask(path, () => statSync(path))
    this.#path = path
    this.#device = dev
    this.#inode = ino
  }

  /** @throws DatabaseUnavailableError with reason `moved`, or `cannot-open` where the path cannot be followed */
  check(): void {
    const now = ask(this.#path, () => statSync(this.#path, { throwIfNoEntry: false }))
    if (now === undefined || now.ino !== this.#inode || now.dev !== this.#device) {
      throw new DatabaseUnavailableError(this.#path, 'moved')
    }
  }
}

/** What Node's own error says is that the file cannot be reached now: it may have been moved away a moment ago. */
function ask<T>(path: string, look: () => T): T {
  try {
    return look()
  } catch (error) {
    throw new DatabaseUnavailableError(path, 'cannot-open', { cause: error })
  }
}
