import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { MissingServerError } from './errors.ts'
import { findExecutable } from './find-executable.ts'

/** What tests can use beside Node; the rows of `servers.json`. */
export type ServerName = 'redis' | 'openssl' | 'python-celery'

interface ServerRow {
  readonly title: string
  readonly executable?: string
  readonly pythonModules?: readonly string[]
  readonly debian: readonly string[]
}

/** Debian's own interpreter, for which Debian packages modules; the first `python3` on PATH may be another one. */
export const SYSTEM_PYTHON = '/usr/bin/python3'

const installed = new Map<ServerName, boolean>()
const announced = new Set<ServerName>()

/** Whether a server is installed on this machine. Looks once per process. */
export function isInstalled(server: ServerName): boolean {
  let answer = installed.get(server)
  if (answer === undefined) {
    answer = look(rowOf(server))
    installed.set(server, answer)
  }
  return answer
}

/**
 * Nothing if the server is installed.
 *
 * @throws {MissingServerError} which says how to install it.
 */
export function requireServer(server: ServerName): void {
  if (isInstalled(server)) return
  const { title, debian } = rowOf(server)
  throw new MissingServerError(server, title, debian)
}

/**
 * Whether tests that need these servers have to be skipped; says so once per server.
 * For `describe.skipIf(isMissing('redis'))('on a real Redis', …)`.
 *
 * @throws {MissingServerError} when `CI` is set: there, a test that is left out is a failure.
 */
export function isMissing(...servers: readonly ServerName[]): boolean {
  const missing = servers.filter((server) => !isInstalled(server))
  for (const server of missing) {
    if (isCI()) requireServer(server)
    if (!announced.has(server)) console.warn(`skipped: ${rowOf(server).title} is not installed (npm run setup:servers)`)
    announced.add(server)
  }
  return missing.length > 0
}

function isCI(): boolean {
  return !['', '0', 'false', undefined].includes(process.env['CI'])
}

function look({ executable, pythonModules }: ServerRow): boolean {
  if (executable !== undefined && findExecutable(executable) === undefined) return false
  if (pythonModules === undefined) return true
  const script = 'import sys, importlib.util as u; sys.exit(any(u.find_spec(m) is None for m in sys.argv[1:]))'
  return spawnSync(SYSTEM_PYTHON, ['-c', script, ...pythonModules], { stdio: 'ignore' }).status === 0
}

let table: Readonly<Record<ServerName, ServerRow>> | undefined

function rowOf(server: ServerName): ServerRow {
  table ??= JSON.parse(readFileSync(new URL('../servers.json', import.meta.url), 'utf8')) as Record<
    ServerName,
    ServerRow
  >
  return table[server]
}
