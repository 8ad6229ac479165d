import assert from 'node:assert/strict'
import { assertRejects, assertStored, textOf, write } from './assertions.ts'
import type { BackendCase } from './backend-under-test.ts'

/** Different ids that careless stores take for the same, or for a path, a pattern, a key or a command. */
const ODD_IDS = [
  '../../etc/passwd',
  'a/b',
  'a//b',
  '*',
  '?',
  '%',
  '_',
  '[a-z]',
  "'; DROP TABLE results; --",
  '"quoted"',
  'with space',
  'with space ',
  ' with space',
  'celery-task-meta-x',
  'x',
  'X',
  'caf\u00e9',
  'cafe\u0301',
  '🐦‍⬛',
  '{tag}',
  '__proto__',
  'constructor',
  '0',
  '00',
  '-1',
  'null',
  'a'.repeat(200),
  'a'.repeat(201),
]

const INVALID_IDS = ['', 'nul\u0000', 'line\nbreak', 'half \ud800 pair', 'a'.repeat(513)]

/** One id cannot read, overwrite or remove another's record. */
export const idCases: readonly BackendCase[] = [
  {
    name: 'keeps odd ids apart, and forgets only the one it is told to',
    async run({ backend, id }) {
      const suffix = id('')
      // Where an oddity is at the end it must stay there, so the suffix that makes ids unique to this case comes first.
      const writes = ODD_IDS.map((odd) => write(`${suffix.slice(1, 9)}${odd}`, 'SUCCESS', { note: odd }))
      await backend.store(writes)
      for (const each of writes) await assertStored(backend, each.taskId, each)
      for (const [i, gone] of writes.entries()) {
        await backend.forget([gone.taskId])
        const left = await backend.fetch(writes.map((each) => each.taskId))
        assert.equal(left.size, writes.length - i - 1, `forgetting ${gone.taskId} removed another record`)
      }
    },
  },
  {
    name: 'keeps ids apart that are odd as a whole',
    async run({ backend }) {
      const writes = ODD_IDS.map((odd) => write(odd, 'PROGRESS', { note: odd }))
      try {
        await backend.store(writes)
        const found = await backend.fetch(ODD_IDS)
        assert.deepEqual(
          writes.map((each) => textOf(found.get(each.taskId)?.record)),
          writes.map((each) => each.record),
        )
      } finally {
        await backend.forget(ODD_IDS)
      }
    },
  },
  {
    name: 'watches a task whose id is odd',
    async run({ backend, connect, id, within }) {
      const taskId = `${id('')}/../*'"%_ 🐦`
      const other = await connect()
      const told = new Promise<string>((resolve) => {
        backend.watch([taskId], resolve).then(
          () => other.store([write(taskId, 'SUCCESS')]),
          () => resolve('rejected'),
        )
      })
      assert.equal(await within('being told of a change', told), taskId)
    },
  },
  {
    name: 'refuses ids that no store keeps apart, in every call',
    async run({ backend, id }) {
      const good = write(id(), 'SUCCESS')
      for (const taskId of INVALID_IDS) {
        await assertRejects(backend.store([good, write(taskId, 'SUCCESS')]), 'ERR_CELERY_INVALID_TASK_ID')
        await assertRejects(backend.fetch([taskId]), 'ERR_CELERY_INVALID_TASK_ID')
        await assertRejects(backend.forget([taskId]), 'ERR_CELERY_INVALID_TASK_ID')
        await assertRejects(
          backend.watch([taskId], () => undefined),
          'ERR_CELERY_INVALID_TASK_ID',
        )
      }
      await assertStored(backend, good.taskId, undefined)
    },
  },
]
