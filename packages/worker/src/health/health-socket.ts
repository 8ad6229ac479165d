import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, linkSync, renameSync, type Stats, unlinkSync } from 'node:fs'
import { lstat, utimes } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { join } from 'node:path'
import { HealthAddressError } from './health-address-error.ts'
import { healthPath, mostNamesakes, prepareHealthFolder } from './health-folder.ts'

/**
 * The socket on which a worker answers its own user. Made under another name, with mode 0600, and put in its place by a
 * link, which neither follows nor replaces what is there.
 */
export class HealthSocket {
  /** Where it was put. */
  readonly path: string
  readonly #place: HealthPlace
  readonly #inode: number | undefined

  private constructor(path: string, place: HealthPlace, inode: number | undefined) {
    this.path = path
    this.#place = place
    this.#inode = inode
  }

  /**
   * Lets `server` listen. A socket that a dead worker left is replaced; where a living one has the name, the next free one is
   * taken: `celery@host~2`.
   *
   * @throws HealthAddressError
   */
  static async open(server: Server, place: HealthPlace): Promise<HealthSocket> {
    const { folder } = place
    prepareHealthFolder(folder)
    // Short, so that it fits where the last one fits.
    const temporary = join(folder, `${randomBytes(6).toString('hex')}.new`)
    try {
      server.listen(temporary)
      await once(server, 'listening')
      chmodSync(temporary, 0o600)
      // Before others can see it: they may have to move it.
      const inode = (await lookAt(temporary))?.ino
      return new HealthSocket(await putInPlace(temporary, place), place, inode)
    } catch (error) {
      if (error instanceof HealthAddressError) throw error
      throw new HealthAddressError(folder, (error as Error).message, { cause: error })
    } finally {
      unlinkIfThere(temporary)
    }
  }

  /** Makes it look new to whoever tidies up by age: as it was made under another name, it is not seen to be in use. */
  async touch(): Promise<void> {
    const now = new Date()
    for (const path of await this.#paths()) await utimes(path, now, now)
  }

  /** Takes the socket away, unless another one is there by now. Safe twice. */
  async remove(): Promise<void> {
    for (const path of await this.#paths()) unlinkIfThere(path)
  }

  /** Another worker may have had to give it another one of its names. */
  async #paths(): Promise<readonly string[]> {
    const paths: string[] = []
    for (const path of pathsOf(this.#place)) if ((await lookAt(path))?.ino === this.#inode) paths.push(path)
    return paths
  }
}

/** Where a socket is to be. */
export interface HealthPlace {
  readonly folder: string
  /** Node name of the worker. */
  readonly node: string
}

/** Whether something listens there. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const answer = (isThere: boolean): void => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('connect', () => answer(true))
    // Refused, or gone; anything else is somebody who may live.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => answer(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
  })
}

function* pathsOf({ folder, node }: HealthPlace): Iterable<string> {
  for (let index = 0; index < mostNamesakes; index++) yield healthPath(folder, node, index)
}

/** Links the socket to the first of its names that no living worker has. */
async function putInPlace(socket: string, place: HealthPlace): Promise<string> {
  for (const path of pathsOf(place)) {
    if (linkUnlessThere(socket, path)) return path
    const isStale = (await lookAt(path))?.isSocket() === true && !(await isListening(path))
    if (!isStale) continue
    await removeStale(path, place)
    if (linkUnlessThere(socket, path)) return path
  }
  const { folder, node } = place
  throw new HealthAddressError(folder, `${mostNamesakes} living workers are called ${node}; give them names with -n`)
}

/**
 * Taken aside first: of two that find the same stale socket, the second must not remove what the first has put there
 * meanwhile. It gets its name back, or where a third one has that by now, another.
 */
async function removeStale(path: string, place: HealthPlace): Promise<void> {
  const aside = `${path}.${randomBytes(3).toString('hex')}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    if ((await isListening(aside)) && !linkUnlessThere(aside, path)) await putInPlace(aside, place)
  } finally {
    unlinkIfThere(aside)
  }
}

function linkUnlessThere(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Not `lstatSync`: Node 20 resolves links in the paths of modules no more after that of a socket, until that of another file. */
async function lookAt(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
