import assert from 'node:assert/strict'
import { assertRejects, assertStored, Signal, write } from './assertions.ts'
import type { BackendCase } from './backend-under-test.ts'

/** Giving up and ending. */
export const closingCases: readonly BackendCase[] = [
  {
    name: 'rejects with the reason of a signal that was aborted before the call, and does nothing',
    async run({ backend, id }) {
      const success = write(id(), 'SUCCESS')
      const reason = new Error('changed my mind')
      const signal = AbortSignal.abort(reason)
      await assert.rejects(backend.store([success], { signal }), reason)
      await assert.rejects(backend.fetch([success.taskId], { signal }), reason)
      await assert.rejects(backend.forget([success.taskId], { signal }), reason)
      await assert.rejects(
        backend.watch([success.taskId], () => undefined, { signal }),
        reason,
      )
      await assert.rejects(backend.cleanup({ signal }), reason)
      await assertStored(backend, success.taskId, undefined)
    },
  },
  {
    name: 'closes twice and by disposing, at once or one after the other',
    async run({ connect, within }) {
      const other = await connect()
      await within('closing twice at once', Promise.all([other.close(), other.close(), other[Symbol.asyncDispose]()]))
      await within('closing again', other.close())
    },
  },
  {
    name: 'closes while it is watching',
    async run({ backend, connect, id, within }) {
      const taskId = id()
      const other = await connect()
      let calls = 0
      const watch = await other.watch([taskId], () => {
        calls += 1
      })
      await within('closing a backend that is watching', other.close())
      const changed = new Signal()
      await using _watch = await backend.watch([taskId], () => changed.set())
      await backend.store([write(taskId, 'SUCCESS')])
      await within('telling a watcher of another connection', changed.next())
      assert.equal(calls, 0)
      await within('disposing a watch of a closed backend', Promise.resolve(watch[Symbol.asyncDispose]()))
    },
  },
  {
    name: 'rejects every call after it was closed',
    async run({ connect, id }) {
      const other = await connect()
      await other.close()
      const success = write(id(), 'SUCCESS')
      await assertRejects(other.store([success]), 'ERR_CELERY_BACKEND_CLOSED')
      await assertRejects(other.fetch([success.taskId]), 'ERR_CELERY_BACKEND_CLOSED')
      await assertRejects(other.forget([success.taskId]), 'ERR_CELERY_BACKEND_CLOSED')
      await assertRejects(
        other.watch([success.taskId], () => undefined),
        'ERR_CELERY_BACKEND_CLOSED',
      )
      await assertRejects(other.cleanup(), 'ERR_CELERY_BACKEND_CLOSED')
    },
  },
  {
    name: 'leaves other connections alone when one is closed',
    async run({ backend, connect, id }) {
      const other = await connect()
      const success = write(id(), 'SUCCESS')
      await other.store([success])
      await other.close()
      await assertStored(backend, success.taskId, success)
    },
  },
  {
    name: 'finishes the writes that were under way when it was closed, or rejects them',
    async run({ backend, connect, id, within }) {
      const other = await connect()
      const writes = Array.from({ length: 20 }, () => write(id(), 'SUCCESS'))
      const storing = Promise.allSettled(writes.map((each) => other.store([each])))
      await within('closing with writes under way', other.close())
      const outcomes = await within('settling the writes that were under way', storing)
      const found = await backend.fetch(writes.map((each) => each.taskId))
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled')
          assert.ok(found.has(writes[i]?.taskId ?? ''), 'a confirmed write is missing')
      }
    },
  },
]
