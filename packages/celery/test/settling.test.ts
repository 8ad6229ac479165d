import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Celery } from '../src/index.ts'
import { Scene, until, untilAsync } from './scene.ts'

const settings = { taskAcksLate: true, taskTrackStarted: true, leaseMs: 1_000 }

test.concurrent('F-10 a worker killed between the result and the ack: its task runs once more, and SUCCESS stays', async () => {
  await using scene = new Scene({ module: 'two-files.mjs', settings })
  const results = `sqlite:///${join(scene.folder, 'results.db')}`
  await using client = new Celery('client', { broker: `sqlite:///${scene.broker}`, backend: results })
  const first = await scene.startWorker('-c', '1', '-n', 'first')
  const result = await client.sendTask('add', [1, 2])
  await until(() => existsSync(join(scene.folder, 'halted')), 'the worker to stand between the two')
  expect(await result.state()).toBe('SUCCESS')
  const seen: string[] = []
  let watching = true
  const watched = untilAsync(async () => {
    seen.push(await client.asyncResult(result.id).state())
    return !watching
  }, 'the end of the watch')
  first.signal('SIGKILL')

  await scene.startWorker('-c', '1', '-n', 'second')
  await scene.untilStarted(result.id, 2)
  await scene.untilEmpty()
  watching = false
  await watched
  expect(scene.starts(result.id)).toHaveLength(2)
  expect(new Set(seen)).toEqual(new Set(['SUCCESS']))
  expect(await client.asyncResult(result.id).get({ timeout: 5 })).toBe(3)
})

test.concurrent('F-10 with broker and results in one file nobody can stand between: one is never there without the other', async () => {
  await using scene = new Scene({ settings })
  const client = await scene.client.connectionForRead().broker()
  try {
    let worker = await scene.startWorker('-c', '1')
    let torn = 0
    for (let n = 0; n < 6; n++) {
      const id = await scene.send('add', n, 1)
      // At any moment: before it ran, while it ran, after it was settled.
      await new Promise((resolve) => setTimeout(resolve, n * 6))
      worker.signal('SIGKILL')
      await worker.ended
      const { held, ready } = await client.declareQueue({ name: 'celery' })
      const isDone = (await scene.state(id)) === 'SUCCESS'
      if (isDone === held + ready > 0) torn++
      worker = await scene.startWorker('-c', '1')
      expect(await scene.value(id)).toBe(n + 1)
      await scene.untilEmpty()
    }
    expect(torn).toBe(0)
  } finally {
    await client.close()
  }
})
