import assert from 'node:assert/strict'
import { assertRejects, assertStored, fetchOne, textOf, write } from './assertions.ts'
import type { BackendCase } from './backend-under-test.ts'

/** Storing, reading and forgetting. */
export const recordCases: readonly BackendCase[] = [
  {
    name: 'gives back the record and the state that were stored',
    async run({ backend, id }) {
      const success = write(id(), 'SUCCESS', { note: 'done' })
      await backend.store([success])
      await assertStored(backend, success.taskId, success)
    },
  },
  {
    name: 'has no record of a task for which nothing was stored',
    async run({ backend, id }) {
      assert.equal((await backend.fetch([id()])).size, 0)
    },
  },
  {
    name: 'accepts empty batches',
    async run({ backend }) {
      await backend.store([])
      await backend.forget([])
      assert.equal((await backend.fetch([])).size, 0)
    },
  },
  {
    name: 'stores and reads a thousand records in one call each',
    async run({ backend, id }) {
      const writes = Array.from({ length: 1_000 }, (_, i) =>
        write(id(), i % 3 === 0 ? 'FAILURE' : 'SUCCESS', { note: `${i}` }),
      )
      await backend.store(writes)
      const found = await backend.fetch(writes.map((each) => each.taskId))
      assert.equal(found.size, writes.length)
      for (const each of writes) assert.equal(textOf(found.get(each.taskId)?.record), each.record)
    },
  },
  {
    name: 'reads the records that exist among ids that do not',
    async run({ backend, id }) {
      const stored = write(id(), 'SUCCESS')
      await backend.store([stored])
      const found = await backend.fetch([id(), stored.taskId, id(), stored.taskId])
      assert.deepEqual([...found.keys()], [stored.taskId])
    },
  },
  {
    name: 'H-23: reads the others beside one that is no record',
    needs: (traits) => traits.shared === true,
    async run({ backend, id, spoil }) {
      const [first, spoilt, last] = [write(id(), 'SUCCESS'), id(), write(id(), 'FAILURE')]
      await backend.store([first, last])
      await spoil(spoilt)
      const found = await backend.fetch([first.taskId, spoilt, last.taskId])
      assert.deepEqual(
        [first.taskId, spoilt, last.taskId].map((taskId) => found.get(taskId)?.state),
        ['SUCCESS', undefined, 'FAILURE'],
      )
      assert.ok(found.has(spoilt), 'what is no record is taken for nothing')
    },
  },
  {
    name: 'shows a stored record to another connection at once',
    async run({ backend, connect, id }) {
      const other = await connect()
      for (let i = 0; i < 20; i += 1) {
        const success = write(id(), 'SUCCESS', { note: `${i}` })
        await backend.store([success])
        await assertStored(other, success.taskId, success)
      }
    },
  },
  {
    name: 'keeps every record of many writers at once',
    async run({ backend, connect, id }) {
      const writers = [backend, await connect(), await connect()]
      const writes = Array.from({ length: 300 }, () => write(id(), 'SUCCESS'))
      await Promise.all(writes.map((each, i) => writers[i % writers.length]?.store([each])))
      const found = await backend.fetch(writes.map((each) => each.taskId))
      assert.equal(found.size, writes.length)
    },
  },
  {
    name: 'keeps text of every script, control characters and an empty record as they are',
    async run({ backend, id }) {
      const texts = [
        '',
        'NUL \u0000 inside',
        'żółć 漢字 🐦‍⬛ \u202eabc',
        'line\u2028\u2029\r\n\ttab',
        '\ufeffbom',
        "'; DROP TABLE x; --",
        '\\u0000 %s {} $1',
      ]
      const writes = texts.map((record) => ({ taskId: id(), state: 'SUCCESS', record }))
      await backend.store(writes)
      const found = await backend.fetch(writes.map((each) => each.taskId))
      assert.deepEqual(
        writes.map((each) => textOf(found.get(each.taskId)?.record)),
        texts,
      )
    },
  },
  {
    name: 'keeps bytes as they are',
    async run({ backend, id }) {
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      const records = [all, Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(0x84, 0xa6, 0xff), all.subarray(100, 200)]
      const writes = records.map((record) => ({ taskId: id(), state: 'SUCCESS', record }))
      await backend.store(writes)
      const found = await backend.fetch(writes.map((each) => each.taskId))
      assert.deepEqual(
        writes.map((each) => Buffer.from(found.get(each.taskId)?.record ?? 'nothing').toString('hex')),
        records.map((record) => Buffer.from(record).toString('hex')),
      )
    },
  },
  {
    name: 'keeps its own copy of bytes, which their owner may use again',
    async run({ backend, id }) {
      const record = Uint8Array.of(1, 2, 3)
      const taskId = id()
      await backend.store([{ taskId, state: 'SUCCESS', record }])
      record.fill(0)
      assert.deepEqual([...Buffer.from((await fetchOne(backend, taskId))?.record ?? '')], [1, 2, 3])
    },
  },
  {
    name: 'keeps a record of four megabytes',
    async run({ backend, id }) {
      const big = { taskId: id(), state: 'SUCCESS', record: 'ü0'.repeat(1_400_000) }
      await backend.store([big])
      assert.equal(
        textOf((await fetchOne(backend, big.taskId))?.record) === big.record,
        true,
        'the record came back changed',
      )
    },
  },
  {
    name: 'refuses a record beyond the limit and stores nothing of that call',
    async run({ backend, id }) {
      const [small, large] = [
        write(id(), 'SUCCESS'),
        { taskId: id(), state: 'SUCCESS', record: 'x'.repeat(64 * 1024 * 1024 + 1) },
      ]
      await assertRejects(backend.store([small, large]), 'ERR_CELERY_RESULT_TOO_LARGE')
      assert.equal((await backend.fetch([small.taskId, large.taskId])).size, 0)
    },
  },
  {
    name: 'forgets the tasks it is told to and no other',
    async run({ backend, id }) {
      const [kept, gone] = [write(id(), 'SUCCESS'), write(id(), 'SUCCESS')]
      await backend.store([kept, gone])
      await backend.forget([gone.taskId, id()])
      await assertStored(backend, gone.taskId, undefined)
      await assertStored(backend, kept.taskId, kept)
    },
  },
  {
    name: 'stores anything for a task that was forgotten',
    async run({ backend, id }) {
      const taskId = id()
      await backend.store([write(taskId, 'SUCCESS')])
      await backend.forget([taskId])
      const started = write(taskId, 'STARTED')
      await backend.store([started])
      await assertStored(backend, taskId, started)
    },
  },
  {
    name: 'keeps records when every connection is closed and opened again',
    needs: (traits) => traits.durable,
    async run({ backend, reopen, id }) {
      const writes = Array.from({ length: 50 }, () => write(id(), 'SUCCESS'))
      await backend.store(writes)
      const again = await reopen()
      assert.equal((await again.fetch(writes.map((each) => each.taskId))).size, writes.length)
    },
  },
]
