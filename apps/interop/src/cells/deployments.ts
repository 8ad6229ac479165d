/** Settings that a deployment may have. */
import assert from 'node:assert/strict'
import { assertValue, type Cell } from '../cell.ts'

export const deploymentCells: readonly Cell[] = [
  {
    name: 'results in another database',
    long: true,
    async run(stage) {
      const { direction, queue } = stage
      const client = stage.clientWith({ resultDatabase: 1 })
      await stage.startWorker(direction.worker, { resultDatabase: 1 })
      const id = await client.send({ task: 'interop.add', args: [1, 2], options: { queue } })
      assertValue(await client.wait(id), 3)
      assert.equal(await stage.redis('EXISTS', `celery-task-meta-${id}`), 0)
    },
  },
  {
    name: 'a prefix before all keys of the broker',
    long: true,
    async run(stage) {
      const { direction, queue } = stage
      const settings = { broker_transport_options: { global_keyprefix: `${queue}:` } }
      const client = stage.clientWith({ settings })
      const id = await client.send({ task: 'interop.add', args: [1, 2], options: { queue, priority: 3 } })
      assert.equal(await stage.redis('LLEN', `${queue}:${queue}\x06\x163`), 1)
      await stage.startWorker(direction.worker, { settings })
      assertValue(await client.wait(id), 3)
      assert.equal(await stage.redis('EXISTS', queue, `${queue}\x06\x163`, `_kombu.binding.${queue}`), 0)
    },
  },
  {
    name: 'times in a zone of the fleet, without UTC',
    long: true,
    async run(stage) {
      const { direction, queue } = stage
      const settings = { enable_utc: false, timezone: 'Asia/Kolkata' }
      const client = stage.clientWith({ settings })
      await stage.startWorker(direction.worker, { settings })
      const dueAt = Date.now() / 1000 + 1
      // Hours too late would be too late to be waited for.
      const id = await client.send({ task: 'interop.now', options: { queue, countdown: 1, expires: 600 } })
      const { result, state } = await client.wait(id)
      assert.equal(state, 'SUCCESS')
      assert.ok(Number(result) >= dueAt - 0.005, `it ran ${dueAt - Number(result)} s too early`)
    },
  },
  {
    name: 'results that tell of the call',
    long: true,
    async run(stage) {
      const { direction, queue } = stage
      const settings = { result_extended: true }
      const client = stage.clientWith({ settings })
      await stage.startWorker(direction.worker, { settings })
      const id = await client.send({ task: 'interop.add', args: [1], kwargs: { y: 2 }, options: { queue } })
      const { extended, ...outcome } = await client.wait(id)
      assertValue({ ...outcome, extended }, 3)
      const { worker, ...told } = extended
      assert.deepEqual(told, { name: 'interop.add', args: [1], kwargs: { y: 2 }, retries: 0, queue })
      assert.match(String(worker), /.@./)
    },
  },
]
