import { expect, test } from 'vitest'
import { Scene } from './scene.ts'

test.concurrent.each(['prefork', 'threads', 'async'])(
  'CANV-061 %s: whoever waits for the end of a chain hears that a step before it failed',
  async (pool) => {
    await using scene = new Scene()
    const worker = await scene.startWorker('-c', '1', '-P', pool)
    const { client } = scene
    const last = await client
      .signature('no-such-module.nobody-knows')
      .pipe(client.signature('add', [1]))
      .pipe(client.signature('add', [2]))
      .delay()
    const failed = await client
      .signature('fail', ['no'])
      .pipe(client.signature('add', [1]))
      .pipe(client.signature('add', [2]))
      .delay()
    // By the ids alone, as another program would ask.
    for (const id of [last.parent?.id, last.id])
      expect(await scene.outcome(String(id))).toMatch(/^FAILURE NotRegistered/)
    for (const id of [failed.parent?.id, failed.id]) {
      expect(await scene.outcome(String(id))).toBe('FAILURE TypeError: no')
    }
    expect(scene.starts().map(({ task }) => task)).toEqual(['fail'])
    expect(await worker.stop()).toBe(0)
  },
)

test.concurrent('CANV-061 also where the process of that step died, which is told of as a warning', async () => {
  await using scene = new Scene()
  const worker = await scene.startWorker('-c', '1')
  const last = await scene.client
    .signature('exit', [3])
    .pipe(scene.client.signature('add', [1]))
    .delay()
  expect(await scene.outcome(last.id)).toBe(
    'FAILURE WorkerLostError: the process that ran the task ended before it: exit status 3',
  )
  await worker.untilLogged('ended with exit status 3; nobody had told it to')
  expect(worker.log).toMatch(/WARNING.*pool: process \d+ ended with exit status 3; nobody had told it to/)
})

test.concurrent('a thread that died is told of as a thread', async () => {
  await using scene = new Scene()
  const worker = await scene.startWorker('-c', '1', '-P', 'threads')
  const id = await scene.send('exit', 3)
  expect(await scene.outcome(id)).toMatch(
    /^FAILURE WorkerLostError: thread \d+, which ran the task, ended before it: exit status 3$/,
  )
  await worker.untilLogged('nobody had told it to')
  expect(worker.log).toMatch(/WARNING.*pool: thread \d+ ended with exit status 3; nobody had told it to/)
  expect(worker.log).not.toMatch(/pool: process/)
})

test.concurrent('a process that ends after its task has succeeded is told of as a warning', async () => {
  await using scene = new Scene()
  const worker = await scene.startWorker('-c', '1')
  expect(await scene.value(await scene.send('throw-later'))).toBe('done')
  await worker.untilLogged('nobody had told it to')
  expect(worker.log).toMatch(
    /WARNING.*pool: process \d+ ended with exit status 1 \(Error: thrown after its end\); nobody/,
  )
  expect(await scene.value(await scene.send('add', 1, 1))).toBe(2)
})
