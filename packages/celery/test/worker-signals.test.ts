import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Scene } from './scene.ts'

test.concurrent.each([
  ['prefork', ['{"index":1,"isOwn":true}'], ['{"index":1,"exitCode":0,"isOwn":true}']],
  ['threads', ['{"index":1,"isOwn":true}'], ['{"index":1,"exitCode":0,"isOwn":true}']],
  ['solo', ['{"index":1,"isOwn":true}'], []],
  ['async', [], []],
] as const)(
  'WORK-078 SIG-017 SIG-019 SIG-020 SIG-021 SIG-023 SIG-024 with the pool %s',
  async (pool, inits, shutdowns) => {
    await using scene = new Scene({ module: 'worker-signals.mjs' })
    const worker = await scene.startWorker('-c', '1', '-P', pool, '-n', 'me@here')
    expect(await scene.value(await scene.send('add', 2, 3))).toBe(5)
    expect(await worker.stop('SIGINT')).toBe(0)
    const told = readFileSync(scene.ledgerFile, 'utf8').trimEnd().split('\n')
    expect(told).toEqual([
      'workerInit me@here {}',
      ...inits.map((event) => `workerProcessInit me@here ${event}`),
      'workerReady me@here {}',
      'task me@here {}',
      'workerShuttingDown me@here {"signal":"SIGINT","how":"warm","exitCode":0}',
      ...shutdowns.map((event) => `workerProcessShutdown me@here ${event}`),
      'workerShutdown me@here {}',
    ])
  },
)

test.concurrent('WORK-078 a cold shutdown says so', async () => {
  await using scene = new Scene({ module: 'worker-signals.mjs' })
  const worker = await scene.startWorker('-c', '1', '-P', 'async', '-n', 'me@here')
  expect(await worker.stop('SIGQUIT')).toBe(1)
  const told = readFileSync(scene.ledgerFile, 'utf8')
  expect(told).toContain('workerShuttingDown me@here {"signal":"SIGQUIT","how":"cold","exitCode":1}\n')
  expect(told).toMatch(/workerShutdown me@here \{\}\n$/)
})
