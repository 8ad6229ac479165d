import assert from 'node:assert/strict'
import { mayReplace } from '../may-replace.ts'
import type { ResultWrite } from '../result-backend.ts'
import { assertStored, fetchOne, textOf, write } from './assertions.ts'
import type { BackendCase } from './backend-under-test.ts'

const FINAL = ['SUCCESS', 'FAILURE', 'REVOKED']
const STATES = ['PENDING', 'RECEIVED', 'STARTED', 'RETRY', 'REJECTED', 'IGNORED', 'PROGRESS', 'ABORTED', ...FINAL]

/** Every pair of states, written one after the other: what is stored first, what second, and which must be there. */
function everyPair(id: () => string): { first: ResultWrite; second: ResultWrite; winner: ResultWrite }[] {
  return STATES.flatMap((current) =>
    STATES.map((next) => {
      const taskId = id()
      const first = write(taskId, current, { note: 'first' })
      const second = write(taskId, next, { note: 'second' })
      return { first, second, winner: mayReplace(current, next) ? second : first }
    }),
  )
}

/** Results do not go back (see `mayReplace`). */
export const stateCases: readonly BackendCase[] = [
  {
    name: 'replaces a record only where its state allows it, for every pair of states',
    async run({ backend, id }) {
      const pairs = everyPair(id)
      await backend.store(pairs.map((pair) => pair.first))
      await backend.store(pairs.map((pair) => pair.second))
      for (const { first, winner } of pairs) await assertStored(backend, first.taskId, winner)
    },
  },
  {
    name: 'follows the same rule between two writes of one call, in their order',
    async run({ backend, id }) {
      const pairs = everyPair(id)
      await backend.store(pairs.flatMap((pair) => [pair.first, pair.second]))
      for (const { first, winner } of pairs) await assertStored(backend, first.taskId, winner)
    },
  },
  {
    name: 'follows the same rule when the two writes come from different connections',
    async run({ backend, connect, id }) {
      const other = await connect()
      const pairs = everyPair(id)
      await backend.store(pairs.map((pair) => pair.first))
      await other.store(pairs.map((pair) => pair.second))
      for (const { first, winner } of pairs) await assertStored(backend, first.taskId, winner)
    },
  },
  {
    name: 'follows the same rule for prepared writes',
    needs: (traits) => traits.prepares,
    async run({ backend, commit, id }) {
      const pairs = everyPair(id)
      await backend.store(pairs.map((pair) => pair.first))
      await commit(backend.prepare?.(pairs.map((pair) => pair.second)) ?? [])
      for (const { first, winner } of pairs) await assertStored(backend, first.taskId, winner)
    },
  },
  {
    name: 'stores nothing when writes are only prepared',
    needs: (traits) => traits.prepares,
    async run({ backend, commit, id }) {
      const success = write(id(), 'SUCCESS')
      const prepared = backend.prepare?.([success]) ?? []
      await assertStored(backend, success.taskId, undefined)
      await commit(prepared)
      await assertStored(backend, success.taskId, success)
    },
  },
  {
    name: 'prepares writes exactly if it names a domain, and names it on each',
    async run({ backend, id }) {
      assert.equal(backend.prepare !== undefined, backend.domain !== undefined)
      const prepared = backend.prepare?.([write(id(), 'SUCCESS'), write(id(), 'FAILURE')]) ?? []
      for (const each of prepared) assert.equal(each.domain, backend.domain)
    },
  },
  {
    name: 'walks a task through custom states, retries and its end',
    async run({ backend, id }) {
      const taskId = id()
      for (const state of ['RECEIVED', 'STARTED', 'HALF WAY', 'RETRY', 'STARTED', 'SUCCESS']) {
        const step = write(taskId, state)
        await backend.store([step])
        await assertStored(backend, taskId, step)
      }
    },
  },
  {
    name: 'keeps the first of many final records written at once',
    async run({ backend, connect, id }) {
      const writers = [backend, await connect(), await connect()]
      const taskId = id()
      const writes = Array.from({ length: 30 }, (_, i) => write(taskId, 'SUCCESS', { note: `${i}` }))
      const seen = new Set<string>()
      await Promise.all(
        writes.map(async (each, i) => {
          const writer = writers[i % writers.length] ?? backend
          await writer.store([each])
          seen.add(textOf((await fetchOne(writer, taskId))?.record) ?? 'nothing')
        }),
      )
      assert.equal(seen.size, 1, `readers saw ${seen.size} different final records`)
    },
  },
  {
    name: 'never lets a final record go back while other writers report progress',
    async run({ backend, connect, id }) {
      const other = await connect()
      for (const final of FINAL) {
        const taskIds = Array.from({ length: 40 }, () => id())
        await Promise.all(
          taskIds.flatMap((taskId) => [
            other.store([write(taskId, 'STARTED')]),
            backend.store([write(taskId, final)]),
            other.store([write(taskId, 'RETRY')]),
          ]),
        )
        const found = await other.fetch(taskIds)
        for (const taskId of taskIds) assert.equal(found.get(taskId)?.state, final)
      }
    },
  },
]
