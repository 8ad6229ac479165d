import { readFileSync } from 'node:fs'
import type { Celery } from '@celery/app'
import { UsageError } from './usage-error.ts'

export interface Identity {
  /** User name or id. */
  readonly uid?: string | undefined
  /** Group name or id; the user's own where only a user is given. */
  readonly gid?: string | undefined
}

/**
 * Gives up root for another user and group, for good. Does nothing where none is given.
 * @throws UsageError for a user or group that there is not, and where this process may not change
 */
export function dropPrivileges({ gid, uid }: Identity): void {
  if (uid === undefined && gid === undefined) return
  const { initgroups, setgid, setuid } = process as typeof process & {
    /** Known to Node on POSIX, and not to its types. */
    readonly initgroups?: (user: string, group: number) => void
  }
  if (setuid === undefined || setgid === undefined || initgroups === undefined) {
    throw new UsageError('--uid and --gid do not work on this system')
  }
  const user = uid === undefined ? undefined : find('user', '/etc/passwd', uid)
  const group = gid === undefined ? user?.group : find('group', '/etc/group', gid).id
  try {
    if (user !== undefined && group !== undefined) initgroups(user.name, group)
    if (group !== undefined) setgid(group)
    if (user !== undefined) setuid(user.id)
  } catch (error) {
    throw new UsageError(`cannot become ${uid ?? ''}${gid === undefined ? '' : `:${gid}`}: ${(error as Error).message}`)
  }
  // What could be taken back was not given up.
  if (user !== undefined && user.id !== 0 && canBecomeRoot()) throw new UsageError('root could be had back after --uid')
}

function canBecomeRoot(): boolean {
  try {
    process.setuid?.(0)
    return true
  } catch {
    return false
  }
}

interface Account {
  readonly name: string
  readonly id: number
  /** Of a user. */
  readonly group: number
}

function find(what: string, file: string, wanted: string): Account {
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [name = '', , id = '', group = ''] = line.split(':')
    if (name !== '' && (name === wanted || id === wanted)) return { name, id: Number(id), group: Number(group) }
  }
  throw new UsageError(`there is no ${what} "${wanted}"`)
}

/** Names of the serializer that runs code in Python, and so is not to be decoded with root's rights. */
const pickleNames: ReadonlySet<string> = new Set(['pickle', 'application/x-python-serialize'])

/**
 * Rule O-1. Says what is wrong with running as root, if it is done; `undefined` otherwise.
 * @throws UsageError where messages could bring code along, unless `C_FORCE_ROOT` is set
 */
export function checkRoot(app: Celery, uid: number | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (uid !== 0) return undefined
  if (app.conf.acceptContent.some((name) => pickleNames.has(name)) && !env.C_FORCE_ROOT) {
    throw new UsageError(
      'refusing to run as root with "pickle" in acceptContent; use another user (--uid), or set C_FORCE_ROOT=1',
    )
  }
  return 'running as root: whoever can send tasks has all rights of this machine; use another user (--uid)'
}
