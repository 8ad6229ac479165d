import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { openDatabase } from '@celery/sqlite'
import { findExecutable, isInstalled, SYSTEM_PYTHON } from '@celery/test-servers'

/** Of the SQLite library that the embedded broker uses here; asking it takes a file in `folder`. */
export async function sqliteVersions(folder: string): Promise<Record<string, string>> {
  const database = await openDatabase(join(folder, 'version.db'))
  try {
    return { sqlite: String(database.prepare('SELECT sqlite_version()').values([])[0]?.[0]) }
  } finally {
    database.close()
  }
}

/** Why nothing on Redis takes part; `undefined` where it does. */
export function whyWithoutRedis(): string | undefined {
  return isInstalled('redis') ? undefined : 'Redis is not installed (npm run setup:servers)'
}

/** Why Python Celery on Redis takes no part; `undefined` where it does. */
export function whyWithoutPython(): string | undefined {
  return isInstalled('python-celery') && isInstalled('redis')
    ? undefined
    : 'Python Celery or Redis is not installed (npm run setup:servers)'
}

/** Nothing where it is not installed. */
export function redisVersions(): Record<string, string> {
  if (whyWithoutRedis() !== undefined) return {}
  const redis = /v=(\S+)/.exec(firstLine(findExecutable('redis-server') ?? 'redis-server', ['--version']))?.[1]
  return { redis: redis ?? 'unknown' }
}

/** Of the packages that clients and workers in Node are made of. */
export function nodePackageVersions(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, versionOf(name)]))
}

/** Nothing where they are not installed; the version of their Redis with them. */
export function pythonVersions(): Record<string, string> {
  if (whyWithoutPython() !== undefined) return {}
  const script = 'import celery, platform; print(platform.python_version(), celery.__version__)'
  const [python = '', celery = ''] = firstLine(SYSTEM_PYTHON, ['-c', script]).split(' ')
  return { python, 'python celery': celery, ...redisVersions() }
}

/** A package may keep its `package.json` to itself, so it is looked for in the folders above its entry. */
function versionOf(name: string): string {
  const require = createRequire(import.meta.url)
  for (let folder = dirname(require.resolve(name)); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    if (!existsSync(file)) continue
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as { readonly name?: string; readonly version?: string }
    if (manifest.name === name) return manifest.version ?? 'unknown'
  }
  return 'unknown'
}

function firstLine(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).split('\n')[0] ?? ''
}
