import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
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

/** Why Python Celery on Redis takes no part; `undefined` where it does. */
export function whyWithoutPython(): string | undefined {
  return isInstalled('python-celery') && isInstalled('redis')
    ? undefined
    : 'Python Celery or Redis is not installed (npm run setup:servers)'
}

/** Nothing where they are not installed. */
export function pythonVersions(): Record<string, string> {
  if (whyWithoutPython() !== undefined) return {}
  const script = 'import celery, platform; print(platform.python_version(), celery.__version__)'
  const [python = '', celery = ''] = firstLine(SYSTEM_PYTHON, ['-c', script]).split(' ')
  const redis = /v=(\S+)/.exec(firstLine(findExecutable('redis-server') ?? 'redis-server', ['--version']))?.[1]
  return { python, 'python celery': celery, redis: redis ?? 'unknown' }
}

function firstLine(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).split('\n')[0] ?? ''
}
