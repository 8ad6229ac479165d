import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { HealthAddressError } from './health-address-error.ts'

/** Bytes of the path of a Unix socket, as the systems where it is shortest have it. */
const mostBytes = 103

/** Workers of one node name on one machine at most. */
export const mostNamesakes = 32

/** What comes after the node's name where several workers have that name. */
const mark = '~'

/**
 * The folder of the sockets: `CELERY_RUNTIME_DIR`, else one of the user's own in `/tmp`, which is the same in every session,
 * whatever its environment.
 */
export function healthFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { CELERY_RUNTIME_DIR: given } = env
  if (given !== undefined && given !== '') return resolve(given)
  // Only systems without such sockets have no /tmp.
  const temporary = process.platform === 'win32' ? tmpdir() : '/tmp'
  return join(temporary, `celery-${process.getuid?.() ?? 'user'}`)
}

/** Makes the folder where it is missing. @throws HealthAddressError where others could put something there */
export function prepareHealthFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new HealthAddressError(folder, `${(error as Error).message}; ${choose}`, { cause: error })
  }
  checkFolder(folder)
}

/**
 * Where the socket of a node is. Names that are too long for a path are hashed.
 *
 * @param index 0, or more where other workers have the same name
 * @throws HealthAddressError where the folder's own path is too long
 */
export function healthPath(folder: string, node: string, index = 0): string {
  const end = `${index === 0 ? '' : `${mark}${index + 1}`}.sock`
  const readable = join(folder, `${node}${end}`)
  if (Buffer.byteLength(readable) <= mostBytes) return readable
  const hash = createHash('sha256').update(node).digest('hex').slice(0, 32)
  const short = join(folder, `${hash}${end}`)
  if (Buffer.byteLength(short) <= mostBytes) return short
  throw new HealthAddressError(folder, `the path of a socket in it would have more than ${mostBytes} bytes; ${choose}`)
}

/** Whether that is the socket of a node, or of one of its namesakes. */
export function isHealthPathOf(path: string, folder: string, node: string): boolean {
  for (let index = 0; index < mostNamesakes; index++) if (healthPath(folder, node, index) === path) return true
  return false
}

/** The sockets that are there, of workers that live or ended without tidying up. @throws HealthAddressError */
export function listHealthPaths(folder: string): readonly string[] {
  let names: readonly string[]
  try {
    names = readdirSync(folder)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    throw new HealthAddressError(folder, message, { cause: error })
  }
  checkFolder(folder)
  return names.filter((name) => name.endsWith('.sock')).map((name) => join(folder, name))
}

const choose = 'name a folder of your own in CELERY_RUNTIME_DIR, the same for worker and command'

/** What lies in a folder that others can write to may be theirs. */
function checkFolder(folder: string): void {
  const stat = lstatSync(folder)
  if (!stat.isDirectory()) throw new HealthAddressError(folder, `it is no folder; ${choose}`)
  const uid = process.getuid?.()
  if (uid !== undefined && stat.uid !== uid) {
    throw new HealthAddressError(folder, `it belongs to user ${stat.uid}, and this is user ${uid}; ${choose}`)
  }
  if ((stat.mode & 0o022) !== 0) {
    throw new HealthAddressError(folder, `others can write to it; take that right away with chmod 700, or ${choose}`)
  }
}
