import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { NoBrokerError } from './setup-errors.ts'

/**
 * The file of the embedded broker: `CELERY_LOCAL` if set, else `.celery/queue.db` beside the nearest `package.json`
 * above `from`, so that every program of a project finds the same one.
 * @throws NoBrokerError under `NODE_ENV=production`, unless `CELERY_LOCAL` asks for it: a forgotten setting must not
 * send a deployment's tasks into a file.
 */
export function localQueueUrl(from: string = process.cwd(), env: NodeJS.ProcessEnv = process.env): string {
  const asked = env.CELERY_LOCAL
  if (asked !== undefined && asked !== '') return sqliteUrl(resolve(from, asked))
  if (env.NODE_ENV === 'production') throw new NoBrokerError()
  return sqliteUrl(join(projectRoot(from), '.celery', 'queue.db'))
}

/** The nearest folder with a `package.json`, from `from` upwards; `from` itself where there is none. */
export function projectRoot(from: string = process.cwd()): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder)) return resolve(from)
  }
}

/** Three slashes and an absolute path, as SQLAlchemy writes it; what means something in a URL is encoded. */
function sqliteUrl(path: string): string {
  return `sqlite:///${path.replace(/[%?#;]/g, encodeURIComponent)}`
}
