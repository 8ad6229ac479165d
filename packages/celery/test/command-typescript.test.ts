import { afterAll, beforeAll, expect, test } from 'vitest'
import { Celery } from '../src/index.ts'
import { CommandFolder } from './command-folder.ts'

let folder: CommandFolder

beforeAll(() => {
  folder = new CommandFolder({
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

test.each(['prefork', 'threads'])('-P %s runs tasks of a TypeScript module', { timeout: 120_000 }, async (pool) => {
  const url = `sqlite:///${folder.broker}`
  await using client = new Celery('client', { broker: url, backend: url, setAsCurrent: false })
  const result = await client.sendTask('add', [2, 3], { queue: pool })
  const worker = folder.start(['-A', 'tasks', 'worker', '-P', pool, '-c', '1', '-Q', pool, '-l', 'info'])
  await worker.untilLogged('succeeded')
  worker.signal('SIGTERM')
  expect(await worker.exit()).toBe(0)
  expect(await result.get({ timeout: 10 })).toBe(5)
})
