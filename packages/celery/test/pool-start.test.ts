import { pathToFileURL } from 'node:url'
import type { PoolName } from '@celery/worker'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Celery } from '../src/index.ts'
import { CommandFolder } from './command-folder.ts'

const withImport = "import { Celery } from 'celery'\n"
const modules: Readonly<Record<string, string>> = {
  'throws.js': "throw new RangeError('DATABASE_URL is not set')\n",
  'imports.js': `${withImport}import './gone.js'\nexport const app = new Celery('shop')\n`,
  'nothing.js': 'export const shop = 1\n',
  'typed.ts': `${withImport}export const app: Celery = new Celery('shop')\n`,
}

let folder: CommandFolder

beforeAll(() => {
  folder = new CommandFolder(modules)
})

afterAll(() => folder[Symbol.dispose]())

/** What a worker says that cannot start its pool, without what differs between two runs. */
async function told(pool: PoolName, file: string): Promise<unknown> {
  const app = new Celery('shop', { broker: `sqlite:///${folder.broker}`, notify: () => {}, setAsCurrent: false })
  onTestFinished(() => app.close())
  const appModule = pathToFileURL(`${folder.path}/${file}`).href
  const error = await app.startWorker({ pool, appModule, concurrency: 1 }).then(
    () => new Error('it started'),
    (thrown: unknown) => thrown,
  )
  return String(error).replaceAll(folder.path, 'FOLDER')
}

const cases: [file: string, says: string][] = [
  ['throws.js', 'cannot be imported: RangeError: DATABASE_URL is not set'],
  [
    'imports.js',
    "cannot be imported: Error [ERR_MODULE_NOT_FOUND]: Cannot find module 'FOLDER/gone.js' imported from FOLDER/imports.js",
  ],
  ['nothing.js', "does not export a Celery app; export it: export const app = new Celery('name')"],
]
if (((process.features as { typescript?: unknown }).typescript ?? false) === false) {
  cases.push([
    'typed.ts',
    `cannot be imported: TypeError [ERR_UNKNOWN_FILE_EXTENSION]: Unknown file extension ".ts" for FOLDER/typed.ts; Node ${process.version} reads JavaScript alone: name the compiled module, or start with TypeScript (npx tsx program.ts, celery -A ./tasks.ts)`,
  ])
}

describe.each(['prefork', 'threads'] as const)(
  'a pool %s whose app cannot be loaded says what is wrong with the module',
  (pool) => {
    test.each(cases)('%s', { timeout: 120_000 }, async (file, says) => {
      expect(await told(pool, file)).toBe(
        `PoolStartError: the pool ${pool} cannot start: file://FOLDER/${file} ${says}`,
      )
    })
  },
)
