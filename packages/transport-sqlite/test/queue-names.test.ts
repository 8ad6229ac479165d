import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSqliteBroker } from '../src/index.ts'

let folder: string
let broker: Awaited<ReturnType<typeof openSqliteBroker>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'celery-names-'))
  broker = await openSqliteBroker({ path: join(folder, 'queue.db') })
})

afterAll(async () => {
  await broker.close()
  await rm(folder, { recursive: true })
})

test('H-31 any names of queues and of messages are kept apart', async () => {
  const unit = fc.constantFrom('a', 'A', '/', '..', '*', '%', '_', "'", '"', ';', '--', '\n', ' ', 'é', 'e\u0301', '💥')
  const names = fc.uniqueArray(fc.string({ unit, minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 6 })
  let round = 0
  await fc.assert(
    fc.asyncProperty(names, names, async (queues, tags) => {
      const own = `${round++} `
      const named = queues.map((queue) => own + queue)
      const messages = named.flatMap((queue) => tags.map((tag) => ({ queue, tag, payload: queue + tag, priority: 0 })))
      await broker.put(messages)
      for (const queue of named) {
        expect((await broker.declareQueue({ name: queue })).ready).toBe(tags.length)
        const found = await broker.fetch([queue], { max: 100, signal: AbortSignal.timeout(10_000) })
        expect(found.map(({ payload }) => payload)).toEqual(tags.map((tag) => queue + tag))
        expect(found.map(({ tag }) => tag)).toEqual(tags)
        await broker.settle(found.map((delivery) => ({ delivery })))
      }
    }),
    { numRuns: 60 },
  )
})
