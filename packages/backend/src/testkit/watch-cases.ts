import assert from 'node:assert/strict'
import { assertStored, Signal, textOf, waitForState, write } from './assertions.ts'
import type { BackendCase } from './backend-under-test.ts'

/** A change is never missed; a call too many is allowed. */
export const watchCases: readonly BackendCase[] = [
  {
    name: 'tells a watcher of a write through its own connection',
    async run({ backend, id, within }) {
      const taskId = id()
      const changed = new Signal()
      await using _watch = await backend.watch([taskId], () => changed.set())
      await backend.store([write(taskId, 'SUCCESS')])
      await within('being told of a change', changed.next())
    },
  },
  {
    name: 'tells a watcher of a write through another connection',
    async run({ backend, connect, id, within }) {
      const taskId = id()
      const other = await connect()
      const changed = new Signal()
      await using _watch = await backend.watch([taskId], () => changed.set())
      await other.store([write(taskId, 'SUCCESS')])
      await within('being told of a change', changed.next())
    },
  },
  {
    name: 'tells a watcher of prepared writes that were committed',
    needs: (traits) => traits.prepares,
    async run({ backend, connect, commit, id, within }) {
      const taskId = id()
      const changed = new Signal()
      const other = await connect()
      await using _watch = await backend.watch([taskId], () => changed.set())
      await commit(other.prepare?.([write(taskId, 'SUCCESS')]) ?? [])
      await within('being told of a change', changed.next())
    },
  },
  {
    name: 'tells of each step when the watcher waits for one after the other',
    async run({ backend, connect, id, within }) {
      const taskId = id()
      const other = await connect()
      const changed = new Signal()
      await using _watch = await backend.watch([taskId], () => changed.set())
      for (const state of ['STARTED', 'RETRY', 'STARTED', 'PROGRESS', 'SUCCESS']) {
        const step = write(taskId, state)
        await other.store([step])
        const seen = async (): Promise<void> => {
          do await changed.next()
          while (textOf((await backend.fetch([taskId])).get(taskId)?.record) !== step.record)
        }
        await within(`being told of ${state}`, seen())
      }
    },
  },
  {
    name: 'tells of a record that replaces one of the same state and length',
    async run({ backend, connect, id, within }) {
      const taskId = id()
      const other = await connect()
      await other.store([write(taskId, 'PROGRESS', { note: '1' })])
      const changed = new Signal()
      await using _watch = await backend.watch([taskId], () => changed.set())
      const second = write(taskId, 'PROGRESS', { note: '2' })
      await other.store([second])
      const seen = async (): Promise<void> => {
        do await changed.next()
        while (textOf((await backend.fetch([taskId])).get(taskId)?.record) !== second.record)
      }
      await within('being told of the second record', seen())
      await assertStored(backend, taskId, second)
    },
  },
  {
    name: 'misses no write that races with the beginning of the watch',
    async run(context) {
      const { backend, connect, id } = context
      const other = await connect()
      const taskIds = Array.from({ length: 40 }, () => id())
      await Promise.all(
        taskIds.map(async (taskId, i) => {
          const waiting = waitForState(context, backend, taskId, 'SUCCESS')
          // The watch begins within some turns of the event loop, and the write comes before, among or after them.
          for (let turn = 0; turn < i; turn += 1) await Promise.resolve()
          await Promise.all([waiting, other.store([write(taskId, 'SUCCESS')])])
        }),
      )
    },
  },
  {
    name: 'watches hundreds of tasks in one call and tells of each',
    async run({ backend, connect, id, within }) {
      const taskIds = Array.from({ length: 500 }, () => id())
      const missing = new Set(taskIds)
      const changed = new Signal()
      const other = await connect()
      await using _watch = await backend.watch(taskIds, (taskId) => {
        missing.delete(taskId)
        changed.set()
      })
      await other.store(taskIds.map((taskId) => write(taskId, 'SUCCESS')))
      const all = async (): Promise<void> => {
        while (missing.size > 0) await changed.next()
      }
      await within('being told of every task', all())
    },
  },
  {
    name: 'reports only ids that are watched',
    async run({ backend, connect, id, within }) {
      const [watched, unrelated] = [id(), id()]
      const other = await connect()
      const changed = new Signal()
      const reported = new Set<string>()
      await using _watch = await backend.watch([watched], (taskId) => {
        reported.add(taskId)
        changed.set()
      })
      await other.store([write(unrelated, 'SUCCESS'), write(`${watched}0`, 'SUCCESS'), write(watched, 'SUCCESS')])
      await within('being told of the watched task', changed.next())
      assert.deepEqual([...reported], [watched])
    },
  },
  {
    name: 'tells every watcher of a task, and goes on when one of them stops',
    async run({ backend, connect, id, within }) {
      const taskId = id()
      const other = await connect()
      const [first, second] = [new Signal(), new Signal()]
      const firstWatch = await backend.watch([taskId], () => first.set())
      await using _second = await backend.watch([taskId], () => second.set())
      await other.store([write(taskId, 'STARTED')])
      await within('telling both watchers', Promise.all([first.next(), second.next()]))
      await firstWatch[Symbol.asyncDispose]()
      await other.store([write(taskId, 'SUCCESS')])
      await within('telling the watcher that is left', second.next())
    },
  },
  {
    name: 'makes no call after a watch was disposed, which is safe twice',
    async run({ backend, id, within }) {
      const taskId = id()
      let calls = 0
      const watch = await backend.watch([taskId], () => {
        calls += 1
      })
      await watch[Symbol.asyncDispose]()
      await watch[Symbol.asyncDispose]()
      const before = calls
      // Another watcher of the same task hears of the write, so the stopped one had its chance.
      const changed = new Signal()
      await using _other = await backend.watch([taskId], () => changed.set())
      await backend.store([write(taskId, 'SUCCESS')])
      await within('telling the other watcher', changed.next())
      assert.equal(calls, before)
    },
  },
]
