import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Celery } from '../src/index.ts'
import { CommandFolder } from './command-folder.ts'

/** As `npm init -y` leaves it: by npm 11, and by those before it. */
const manifests = { said: '{ "name": "shop", "type": "commonjs" }', silent: '{ "name": "shop" }' }

const files: Readonly<Record<string, string>> = {
  'tasks.ts': `import { Celery, SoftTimeLimitExceededError } from 'celery'
import { sum } from './sum'

export const app = new Celery('shop', { include: ['./more.ts'] })
export const add = app.task('add', (x: number, y: number): number => sum(x, y))
/** What the pool throws is of the class that the module imports. */
export const slow = app.task(
  'slow',
  async (_context): Promise<string> => {
    try {
      await new Promise((_resolve, reject) => _context.signal.addEventListener('abort', () => reject(_context.signal.reason)))
      return 'not stopped'
    } catch (error) {
      return error instanceof SoftTimeLimitExceededError ? 'stopped in time' : 'another class: ' + error
    }
  },
  { bind: true, softTimeLimit: 0.2 },
)
`,
  'sum.ts': 'export const sum = (x: number, y: number): number => x + y\n',
  'more.ts': "import { app } from './tasks'\napp.task('twice', (x: number): number => 2 * x)\n",
  'default.ts': "import { Celery } from 'celery'\nexport default new Celery('default')\n",
  'by-hand.cjs': "const { Celery } = require('celery')\nmodule.exports = { app: new Celery('by hand') }\n",
  'not-exported.ts': "import { Celery } from 'celery'\nexport const shop = new Celery('x').main\n",
  'misses.ts': "import { Celery } from 'celery'\nexport const app = new Celery('x', { include: ['./nix.ts'] })\n",
  'awaits.ts': "import { Celery } from 'celery'\nexport const app = new Celery('x')\nawait app.configure()\n",
  'settings.ts': "export default { taskRoutes: './routes.ts:routes' }\n",
  'routes.ts': "export const routes = { add: { queue: 'routed' } }\n",
}

describe.concurrent.each(Object.entries(manifests))('a project of CommonJS, which is %s,', (kind, manifest) => {
  let folder: CommandFolder

  beforeAll(() => {
    folder = new CommandFolder(files)
    folder.write('package.json', manifest)
  })

  afterAll(() => folder[Symbol.dispose]())

  test.each(['prefork', 'threads', 'solo'])('has its tasks run by %s', { timeout: 120_000 }, async (pool) => {
    const url = `sqlite:///${folder.broker}`
    const queue = `${kind}-${pool}`
    await using client = new Celery('client', { broker: url, backend: url, setAsCurrent: false })
    const results = await Promise.all([
      client.sendTask('add', [2, 3], { queue }),
      client.sendTask('twice', [4], { queue }),
      client.sendTask('slow', [], { queue }),
    ])
    const worker = folder.start(['-A', 'tasks:app', 'worker', '-P', pool, '-c', '1', '-Q', queue, '-l', 'info'])
    await worker.untilLogged('ready.')
    const values = await Promise.all(results.map((result) => result.get({ timeout: 60, propagate: false })))
    worker.signal('SIGTERM')
    expect(await worker.exit()).toBe(0)
    expect(values).toEqual([5, 8, 'stopped in time'])
  })

  test('has its settings and routes read', { timeout: 60_000 }, async () => {
    const sent = await folder.run(['-A', 'tasks.ts', '--config', './settings.ts', 'call', 'add', '-a', '[1, 2]'])
    expect(sent).toMatchObject({ status: 0 })
    const purged = await folder.run(['-A', 'tasks.ts', 'purge', '-f', '-Q', 'routed'])
    expect(purged.output).toBe('Purged 1 message from 1 known task queue.\n')
  })

  test.each(['tasks.ts', './tasks', 'default.ts', 'default.ts:default', 'by-hand.cjs', 'by-hand.cjs:app'])(
    'has the app of -A %s found',
    { timeout: 60_000 },
    async (module) => {
      expect(await folder.run(['-A', module, 'report'])).toMatchObject({
        status: 0,
        log: expect.not.stringContaining('export'),
      })
    },
  )

  test.each([
    [
      'not-exported.ts',
      64,
      "FOLDER/not-exported.ts exports no Celery app; it exports shop. Export it: export const app = new Celery('name')",
    ],
    ['misses.ts', 1, 'cannot find the module "./nix.ts" to import; looked for FOLDER/nix.ts;'],
  ])('is told what is wrong with -A %s', { timeout: 60_000 }, async (module, status, message) => {
    const worker = await folder.run(['-A', module, 'worker', '-P', 'solo'])
    expect(worker.log.replaceAll(folder.path, 'FOLDER')).toContain(message)
    expect(worker.status).toBe(status)
  })
})

test('await at the top level needs "type": "module", which is said', { timeout: 60_000 }, async () => {
  using folder = new CommandFolder(files)
  folder.write('package.json', manifests.said)
  const { log, status } = await folder.run(['-A', 'awaits.ts', 'report'])
  expect(log).toContain(
    'it is read as CommonJS: put "type": "module" into the nearest package.json, or name the file .mts or .mjs',
  )
  expect(status).toBe(1)
})
