import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandOf, Scene, until } from './scene.ts'

test.concurrent('WORK-022 WORK-023 WORK-028 each process of the pool has its number, in the list of processes and in its log file, and hands it on', async () => {
  await using scene = new Scene({ module: 'logs.mjs' })
  const worker = scene.spawnWorker('-c', '2', '-n', 'mine@here', '-f', join(scene.folder, '%n-%i%I.log'))
  const log = (name: string): string => {
    const file = join(scene.folder, name)
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }
  await until(() => log('mine-0.log').includes(' ready.'), 'the worker to be ready')
  const numbers = (): readonly string[] =>
    worker
      .children()
      .map((pid) => nameOf(pid))
      .sort()
  expect(numbers()).toEqual(['[celeryd: mine@here:ForkPoolWorker-1]', '[celeryd: mine@here:ForkPoolWorker-2]'])

  const pid = (await scene.value(await scene.send('say', 'first'))) as number
  const number = /-(\d)\]$/.exec(nameOf(pid))?.[1]
  expect(log(`mine-${number}-${number}.log`)).toMatch(/WARNING\/\d+\] say\[.+\]: first\n$/)
  expect(worker.log).not.toContain('first')
  process.kill(pid, 'SIGKILL')
  await until(() => !worker.children().includes(pid) && numbers().length === 2 && numbers()[0] !== '', 'its successor')
  expect(numbers()).toEqual(['[celeryd: mine@here:ForkPoolWorker-1]', '[celeryd: mine@here:ForkPoolWorker-2]'])
  expect(await worker.stop()).toBe(0)
})

test.concurrent.each(['prefork', 'threads'])(
  'CONF-189 without variables all write to the file of the worker, which has its umask: %s',
  async (pool) => {
    await using scene = new Scene({ module: 'logs.mjs' })
    const file = join(scene.folder, 'all.log')
    const worker = scene.spawnWorker('-c', '1', '-P', pool, '-f', file, '--umask', '077')
    await until(() => existsSync(file) && readFileSync(file, 'utf8').includes(' ready.'), 'the worker to be ready')
    await scene.value(await scene.send('say', 'hello'))
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).toMatch(/ ready\.\n[\s\S]*say\[.+\]: hello\n[\s\S]*succeeded in/)
    expect(await worker.stop()).toBe(0)
  },
)

test.concurrent('CONF-173 POOL-008 a process that is not up in time is told of', async () => {
  await using scene = new Scene({ module: 'slow-start.mjs' })
  const worker = scene.spawnWorker('-c', '1', '--', 'worker_proc_alive_timeout=0.3')
  expect(await worker.exit()).toBe(1)
  expect(worker.log).toContain('killed, perhaps because it took longer than 300 ms')
})

test.concurrent('a worker whose broker is in its own process says what gets lost', async () => {
  await using scene = new Scene({ module: 'logs.mjs', env: { CELERY_BROKER_URL: 'memory://' } })
  const worker = await scene.startWorker('-c', '1')
  expect(worker.log).toContain(
    'the broker memory:// is in this process only: what tasks send from processes of the pool',
  )
  expect(await worker.stop()).toBe(0)
})

/** What lists of processes show at the end of its command. */
function nameOf(pid: number): string {
  return /\[.*\]/.exec(commandOf(pid))?.[0] ?? ''
}
