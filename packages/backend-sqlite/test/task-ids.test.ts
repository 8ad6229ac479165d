import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CeleryError } from '@celery/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sqlite } from '../src/index.ts'

test('H-31 any id of a task is refused, or has a record of its own', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'celery-ids-'))
  const backend = await sqlite.open(`sqlite:///${join(folder, 'results.db')}`)
  const unit = fc.constantFrom(
    'a',
    'A',
    '/',
    '..',
    '*',
    '%',
    '_',
    "'",
    ';',
    '\0',
    '\n',
    'é',
    'e\u0301',
    '\ud800',
    '💥',
    'celery-task-meta-',
  )
  const ids = fc.uniqueArray(fc.string({ unit, maxLength: 6 }), { minLength: 2, maxLength: 8 })
  try {
    await fc.assert(
      fc.asyncProperty(ids, async (all) => {
        const kept: string[] = []
        for (const taskId of all) {
          const write = { taskId, state: 'SUCCESS', record: JSON.stringify({ of: taskId }) }
          await backend.store([write]).then(
            () => kept.push(taskId),
            (error: unknown) => expect(CeleryError.is(error, 'ERR_CELERY_INVALID_TASK_ID')).toBe(true),
          )
        }
        const found = await backend.fetch(kept)
        expect([...found.keys()].sort()).toEqual([...kept].sort())
        for (const [id, { record }] of found) expect(JSON.parse(String(record))).toEqual({ of: id })
        await backend.forget(kept)
        expect((await backend.fetch(kept)).size).toBe(0)
      }),
      { numRuns: 100 },
    )
  } finally {
    await backend.close()
    await rm(folder, { recursive: true })
  }
})
