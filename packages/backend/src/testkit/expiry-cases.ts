import assert from 'node:assert/strict'
import { assertStored, write } from './assertions.ts'
import type { BackendCase } from './backend-under-test.ts'

const SECOND = 1_000
const YEAR = 365 * 24 * 3_600 * SECOND

/** Time to live and removal. */
export const expiryCases: readonly BackendCase[] = [
  {
    name: 'keeps a record until its time to live is over and not longer',
    needs: (traits) => traits.clock,
    async run({ backend, advance, id }) {
      const success = write(id(), 'SUCCESS', { ttlMs: 10 * SECOND })
      await backend.store([success])
      advance(9 * SECOND)
      await assertStored(backend, success.taskId, success)
      advance(SECOND)
      await assertStored(backend, success.taskId, undefined)
    },
  },
  {
    name: 'keeps a record without a time to live',
    needs: (traits) => traits.clock,
    async run({ backend, advance, id }) {
      const success = write(id(), 'SUCCESS')
      await backend.store([success])
      advance(20 * YEAR)
      await backend.cleanup()
      await assertStored(backend, success.taskId, success)
    },
  },
  {
    name: 'expires prepared writes in the same way',
    needs: (traits) => traits.clock && traits.prepares,
    async run({ backend, advance, commit, id }) {
      const success = write(id(), 'SUCCESS', { ttlMs: 10 * SECOND })
      await commit(backend.prepare?.([success]) ?? [])
      advance(9 * SECOND)
      await assertStored(backend, success.taskId, success)
      advance(SECOND)
      await assertStored(backend, success.taskId, undefined)
    },
  },
  {
    name: 'stores anything in place of an expired final record',
    needs: (traits) => traits.clock,
    async run({ backend, advance, id }) {
      const taskId = id()
      await backend.store([write(taskId, 'SUCCESS', { ttlMs: SECOND })])
      advance(2 * SECOND)
      const started = write(taskId, 'STARTED')
      await backend.store([started])
      await assertStored(backend, taskId, started)
    },
  },
  {
    name: 'gives a record that replaces another its own time to live',
    needs: (traits) => traits.clock,
    async run({ backend, advance, id }) {
      const [longer, endless] = [id(), id()]
      await backend.store([write(longer, 'STARTED', { ttlMs: SECOND }), write(endless, 'STARTED', { ttlMs: SECOND })])
      const [longerEnd, endlessEnd] = [write(longer, 'SUCCESS', { ttlMs: 10 * SECOND }), write(endless, 'SUCCESS')]
      await backend.store([longerEnd, endlessEnd])
      advance(5 * SECOND)
      await assertStored(backend, longer, longerEnd)
      advance(5 * SECOND)
      await assertStored(backend, longer, undefined)
      await assertStored(backend, endless, endlessEnd)
    },
  },
  {
    name: 'does not prolong a record by a write that it refuses',
    needs: (traits) => traits.clock,
    async run({ backend, advance, id }) {
      const taskId = id()
      await backend.store([write(taskId, 'SUCCESS', { ttlMs: SECOND })])
      await backend.store([write(taskId, 'FAILURE', { ttlMs: 60 * SECOND })])
      advance(2 * SECOND)
      await assertStored(backend, taskId, undefined)
    },
  },
  {
    name: 'removes on cleanup what has expired, says how much, and leaves the rest',
    needs: (traits) => traits.clock,
    async run({ backend, advance, id }) {
      const gone = Array.from({ length: 25 }, () => write(id(), 'SUCCESS', { ttlMs: SECOND }))
      const kept = [write(id(), 'SUCCESS'), write(id(), 'STARTED', { ttlMs: 60 * SECOND })]
      await backend.store([...gone, ...kept])
      advance(2 * SECOND)
      assert.equal(await backend.cleanup(), gone.length)
      assert.equal(await backend.cleanup(), 0)
      for (const each of kept) await assertStored(backend, each.taskId, each)
    },
  },
]
