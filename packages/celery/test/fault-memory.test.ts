import type { VirtualBroker } from '@celery/transport/virtual'
import { openSqliteBroker } from '@celery/transport-sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { envelope } from './hostile-scene.ts'
import { residentBytes } from './process-limits.ts'
import { Scene, untilAsync, type WorkerProcess } from './scene.ts'

/** The long form: CELERY_TEST_LONG=1. */
const many = process.env['CELERY_TEST_LONG'] === '1' ? 200_000 : 40_000
/** Bytes by which many messages may raise a worker's memory. */
const mostRise = 50 * 2 ** 20

async function setUp() {
  const scene = new Scene({ settings: { taskAcksLate: true } })
  const broker = await openSqliteBroker({ path: scene.broker })
  onTestFinished(async () => {
    await broker.close()
    await scene[Symbol.asyncDispose]()
  })
  const worker = await scene.startWorker('-c', '1')
  // What comes with the first tasks has come then.
  for (let n = 0; n < 100; n++) expect(await scene.value(await scene.send('add', n, 1))).toBe(n + 1)
  return { broker, scene, worker }
}

async function putMany(
  broker: VirtualBroker,
  count: number,
  headers: Readonly<Record<string, unknown>>,
): Promise<void> {
  for (let first = 0; first < count; first += 1_000) {
    await broker.put(
      Array.from({ length: 1_000 }, (_, index) => {
        const id = `many-${first + index}`
        return { queue: 'celery', tag: id, payload: envelope({ headers: { id, ...headers } }), priority: 0 }
      }),
    )
  }
}

/** What so many messages may not do to it. */
async function expectNoRise(scene: Scene, worker: WorkerProcess, before: number): Promise<void> {
  expect(residentBytes(worker.pid) - before).toBeLessThan(mostRise)
  // As many as the window of a worker ever holds of tasks as short as these.
  expect((await scene.queue()).held).toBeLessThanOrEqual(1_000)
}

test(`P-11 memory does not depend on the length of the queue: ${many} messages`, async () => {
  const { broker, scene, worker } = await setUp()
  const blocker = await scene.send('until-released')
  await scene.untilStarted(blocker)
  const before = residentBytes(worker.pid)
  await putMany(broker, many, { task: 'ignored' })
  await expectNoRise(scene, worker, before)
  expect((await scene.queue()).ready).toBeGreaterThan(many - 1_000)
  scene.release()
  // Some of them run; it is stopped amid the others.
  await untilAsync(async () => (await scene.queue()).ready < many - 5_000, 'some to run', 120_000)
  await expectNoRise(scene, worker, before)
  expect(await worker.stop()).toBe(0)
  expect(await scene.queue()).toMatchObject({ held: 0 })
}, 240_000)

test('P-11 10,000 tasks whose time has not come wait in the broker, outside of prefetch and memory', async () => {
  const { broker, scene, worker } = await setUp()
  const before = residentBytes(worker.pid)
  const eta = new Date(Date.now() + 3_600_000).toISOString()
  await putMany(broker, 10_000, { task: 'add', eta })
  // As other programs send them: to the queue, for the worker to see that it is not their time.
  await untilAsync(async () => (await scene.queue()).delayed === 10_000, 'all to be held back', 120_000)
  await expectNoRise(scene, worker, before)
  expect(await scene.queue()).toMatchObject({ held: 0, ready: 0 })
  // They take no place of those that can run.
  expect(await scene.value(await scene.send('add', 2, 3))).toBe(5)
  expect(await worker.stop()).toBe(0)
  expect(await scene.queue()).toMatchObject({ delayed: 10_000 })
}, 240_000)
