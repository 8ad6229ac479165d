import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProjectFolder } from './project-folder.ts'

/** Not what Node can take the types out of by itself: an enumeration, and a path without the extension of its file. */
const program = (pool: string): string => `
import { isMainThread } from 'node:worker_threads'
import { Celery } from 'celery'
import { Unit } from './unit'

const url = 'sqlite:///${pool}.db'
export const app: Celery = new Celery('typed', { broker: url, backend: url })
const convert = app.task('convert', (length: number, unit: Unit): number => length * unit)

if (isMainThread && process.argv[1]?.endsWith('${pool}.ts')) {
  const worker = await app.startWorker({ pool: '${pool}', appModule: import.meta.url, concurrency: 1 })
  console.log(await (await convert.delay(3, Unit.inch)).get({ timeout: 60 }))
  await worker.stop()
  await app.close()
}
`

let folder: ProjectFolder

beforeAll(() => {
  folder = new ProjectFolder()
  folder.write('unit.ts', 'export enum Unit { millimetre = 1, inch = 25.4 }\n')
})

afterAll(() => folder[Symbol.asyncDispose]())

test.each(['prefork', 'threads'])(
  'the pool %s runs tasks of a program that tsx runs',
  { timeout: 120_000 },
  async (pool) => {
    folder.write(`${pool}.ts`, program(pool))
    expect(await folder.run(`${pool}.ts`)).toEqual(['76.19999999999999'])
  },
)
