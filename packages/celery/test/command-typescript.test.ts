import { afterAll, beforeAll, expect, test } from 'vitest'
import { Celery } from '../src/index.ts'
import { CommandFolder } from './command-folder.ts'

let folder: CommandFolder

beforeAll(() => {
  folder = new CommandFolder({
    'site.js': 'export const port = 80',
    'site/celery.ts': "export { app } from '../tasks.ts'",
    // What only a TypeScript loader understands, in two modules.
    'tasks.ts': `import { Celery } from 'celery'
import { sum } from './sum.ts'
export const app = new Celery('typed')
app.task('add', (x: number, y: number): number => sum(x, y), { params: ['x', 'y'] })
`,
    'sum.ts': 'export const sum = (x: number, y: number): number => x + y\n',
  })
})

afterAll(() => folder[Symbol.dispose]())

test.each([
  ['tasks', 'prefork'],
  ['tasks', 'threads'],
  // Its app is in the module below, which is the one in TypeScript.
  ['site', 'prefork'],
])('-A %s -P %s runs tasks of a TypeScript module', { timeout: 120_000 }, async (module, pool) => {
  const url = `sqlite:///${folder.broker}`
  const queue = `${module}-${pool}`
  await using client = new Celery('client', { broker: url, backend: url, setAsCurrent: false })
  const result = await client.sendTask('add', [2, 3], { queue })
  const worker = folder.start(['-A', module, 'worker', '-P', pool, '-c', '1', '-Q', queue, '-l', 'info'])
  await worker.untilLogged('succeeded')
  worker.signal('SIGTERM')
  expect(await worker.exit()).toBe(0)
  expect(await result.get({ timeout: 10 })).toBe(5)
})
