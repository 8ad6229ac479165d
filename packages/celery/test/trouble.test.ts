import { renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Celery } from '../src/index.ts'
import { Scene, until, untilAsync } from './scene.ts'

const files = ['', '-wal', '-shm'] as const

test.concurrent('P-3 a broker that was away: consumes again, keeps leases again, and what was running is settled or runs again', async () => {
  await using scene = new Scene({ settings: { taskAcksLate: true, leaseMs: 1_500 } })
  const worker = await scene.startWorker('-c', '2')
  // A client that is not there while the file is away.
  const before = new Celery('before', { broker: `sqlite:///${scene.broker}` })
  const { id: running } = await before.sendTask('sleep', [1_500])
  await scene.untilStarted(running)
  await before.close()

  // A link to nowhere in its place, so that no new file can be made there.
  for (const suffix of files) renameSync(scene.broker + suffix, `${scene.broker}.away${suffix}`)
  symlinkSync(join(scene.folder, 'nowhere', 'queue.db'), scene.broker)
  await worker.untilLogged('cannot use the broker')
  await until(() => scene.ends(running).length === 1, 'the task to end')
  unlinkSync(scene.broker)
  for (const suffix of files) renameSync(`${scene.broker}.away${suffix}`, scene.broker + suffix)
  const backAt = performance.now()

  await worker.untilLogged('consuming again')
  expect(await scene.value(await scene.send('add', 2, 2))).toBe(4)
  expect(performance.now() - backAt).toBeLessThan(5_000)
  expect(await scene.outcome(running)).toBe('SUCCESS null')
  expect(scene.starts(running).length).toBeLessThanOrEqual(2)
  // Longer than a lease, and blocking: its lease is kept on the new connection.
  const long = await scene.send('block', 3_500)
  expect(await scene.outcome(long)).toBe('SUCCESS null')
  expect(scene.starts(long)).toHaveLength(1)
  await scene.untilEmpty()
  expect(await worker.stop()).toBe(0)
})

test.concurrent('F-09 a pool whose processes cannot start: says so, leaves everything to others, and goes on when they can', async () => {
  await using scene = new Scene({ module: 'sick.mjs', settings: { taskAcksLate: true, maxRedeliveries: 0 } })
  const worker = await scene.startWorker('-c', '1')
  expect(await scene.value(await scene.send('add', 1, 1))).toBe(2)
  writeFileSync(join(scene.folder, 'sick'), '')
  const [pid] = worker.children()
  process.kill(pid as number, 'SIGKILL')
  await until(() => worker.log.includes('sick'), 'the first failure')
  const waiting = [await scene.send('add', 2, 2), await scene.send('add', 3, 3)]
  await worker.untilLogged('taking no more messages')
  const attempts = worker.log.match(/sick/g)?.length ?? 0
  expect(attempts).toBeLessThanOrEqual(30)
  await until(() => worker.process.exitCode === null && worker.children().length <= 1, 'no storm of processes')
  const late = await scene.send('add', 4, 4)
  await untilAsync(async () => (await scene.queue()).ready === 3, 'all to be in the queue')
  for (let looks = 0; looks < 20; looks++) expect(await scene.queue()).toMatchObject({ held: 0, ready: 3 })
  // Others can have it: a pool without processes is well.
  const healthy = await scene.startWorker('-c', '1', '-P', 'async', '-n', 'healthy')
  expect(await Promise.all([...waiting, late].map((id) => scene.value(id)))).toEqual([4, 6, 8])
  for (const id of [...waiting, late]) expect(scene.starts(id)).toMatchObject([{ pid: healthy.pid }])
  expect(worker.log).not.toContain(late)
  expect(await healthy.stop()).toBe(0)

  rmSync(join(scene.folder, 'sick'))
  await worker.untilLogged('can run tasks again')
  expect(await scene.value(await scene.send('add', 5, 5))).toBe(10)
  expect(await worker.stop()).toBe(0)
})

test.concurrent('a follow-up that no queue takes: the task fails and says why, and its message is with the dead letters', async () => {
  await using scene = new Scene({ settings: { taskAcksLate: true } })
  await scene.startWorker('-c', '1')
  const link = scene.client.signature('add', [1], { exchange: 'nowhere', routingKey: 'nobody' })
  const { id } = await scene.client.sendTask('add', [1, 2], { link })
  expect(await scene.outcome(id)).toMatch(/^FAILURE .*nowhere/)
  const [dead] = await scene.deadLetters()
  expect(dead?.deadReason).toContain('nowhere')
  await scene.untilEmpty()
  expect(await scene.value(await scene.send('add', 2, 2))).toBe(4)
})

test.concurrent('O-4 no password is in anything that a worker prints', async () => {
  const secret = 'correct-horse'
  await using scene = new Scene({ module: 'with-password.mjs' })
  const worker = scene.spawnWorker('-l', 'debug')
  await worker.untilLogged('cannot use the broker')
  expect(await worker.stop()).toBe(0)
  expect(worker.log + worker.output).toContain('user:**@')
  expect(worker.log + worker.output).not.toContain(secret)
})
