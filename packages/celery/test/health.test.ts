import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { askWorkers } from '@celery/worker/health-client'
import { expect, test } from 'vitest'
import { CeleryProcess, Scene, untilAsync, type WorkerProcess } from './scene.ts'

const timeout = 300_000

interface HealthEnd {
  readonly status: number | NodeJS.Signals
  readonly output: string
  readonly log: string
}

/** `celery health ARGUMENTS…` of a scene. */
async function health(scene: Scene, ...args: readonly string[]): Promise<HealthEnd> {
  const env = { ...process.env, CELERY_RUNTIME_DIR: join(scene.folder, 'run') }
  const command = new CeleryProcess(['health', ...args], env)
  const status = await command.exit()
  return { status, output: command.output, log: command.log }
}

/** Waits until the worker says of itself whether it is ready, and if not why, and the command says the same. */
async function untilHealth(scene: Scene, isReady: boolean, reason = ''): Promise<HealthEnd> {
  const folder = join(scene.folder, 'run')
  let said: unknown
  let end: HealthEnd | undefined
  const isSuch = async (): Promise<boolean> => {
    const [worker] = await askWorkers({ folder, timeoutMs: 30_000 })
    said = worker
    const codes: readonly string[] | undefined = worker?.report?.reasons.map(({ code }) => code)
    if (worker?.report?.ready !== isReady || (reason !== '' && codes?.includes(reason) !== true)) return false
    end = await health(scene)
    return end.status === (isReady ? 0 : 1) && end.output.includes(`${reason}: `)
  }
  const what = `the worker to be ${isReady ? 'ready' : `not ready: ${reason}`}`
  await untilAsync(isSuch, what, 100_000).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}; it said ${JSON.stringify({ said, end })}`)
  })
  return end as HealthEnd
}

function urlOf(worker: WorkerProcess): string {
  return /health: (http:\S+)\/live/.exec(worker.log)?.[1] as string
}

test.concurrent('a worker that is well, none, one that was killed, and two', { timeout }, async () => {
  await using scene = new Scene()
  const folder = join(scene.folder, 'run')
  expect(await health(scene)).toEqual({
    status: 2,
    output: '',
    log: 'celery: no worker of this user runs on this machine\n',
  })
  const worker = await scene.startWorker('-c', '1', '-n', 'one@host', '--health-port', '0')
  const { output } = await untilHealth(scene, true)
  expect(output.split('\n')[0]).toBe('one@host: ready')
  for (const line of [/^state +running, process \d+, since /m, /^broker +sqlite:.*, connected$/m, /^queues +celery$/m])
    expect(output).toMatch(line)
  expect(statSync(join(folder, 'one@host.sock')).mode & 0o777).toBe(0o600)
  expect(await health(scene, '--live')).toMatchObject({ status: 0, output: 'one@host is live\n' })
  const { output: json } = await health(scene, '--json')
  expect(JSON.parse(json)).toMatchObject({
    node: 'one@host',
    pid: worker.pid,
    ready: true,
    pool: { name: 'prefork', size: 1 },
  })

  const other = await scene.startWorker('-c', '1', '-P', 'threads', '-n', 'two@host')
  await untilAsync(async () => readdirSync(folder).includes('two@host.sock'), 'the second socket')
  const { log, status } = await health(scene)
  expect(status).toBe(2)
  expect(log).toContain('celery: which one? Name it with -n; there are:')
  expect(log).toContain(`  one@host (process ${worker.pid})`)
  expect(await health(scene, '-n', 'two@host')).toMatchObject({ status: 0 })
  expect(await health(scene, '-n', 'three@host')).toMatchObject({
    status: 2,
    log: expect.stringContaining('no worker called three@host runs on this machine; there are:'),
  })
  expect(await other.stop()).toBe(0)
  expect(readdirSync(folder)).toEqual(['one@host.sock'])

  worker.signal('SIGKILL')
  await worker.ended
  expect(await health(scene)).toMatchObject({ status: 2 })
  expect(readdirSync(folder)).toEqual(['one@host.sock'])
  await scene.startWorker('-c', '1', '-n', 'one@host')
  await untilHealth(scene, true)
  expect(await health(scene, '--timeout', 'soon')).toMatchObject({ status: 64 })
})

test.concurrent('P-12 a worker whose broker file is gone is not ready until it is back', {
  timeout,
}, async () => {
  await using scene = new Scene()
  await scene.startWorker('-c', '1', '-P', 'async')
  await untilHealth(scene, true)
  const files = ['', '-wal', '-shm'].filter((suffix) => existsSync(scene.broker + suffix))
  for (const suffix of files) renameSync(scene.broker + suffix, `${scene.broker}.away${suffix}`)
  // Else it would make a new one and go on with that.
  mkdirSync(scene.broker)
  await untilHealth(scene, false, 'broker')
  expect(await health(scene, '--live')).toMatchObject({ status: 0 })
  rmdirSync(scene.broker)
  for (const suffix of files) renameSync(`${scene.broker}.away${suffix}`, scene.broker + suffix)
  await untilHealth(scene, true)
})

test.concurrent('P-12 a worker whose broker file is locked by somebody else is not ready until it is let go', {
  timeout,
}, async () => {
  await using scene = new Scene()
  await scene.startWorker('-c', '1')
  await untilHealth(scene, true)
  const file = fileURLToPath(new URL('fixtures/lock-file.mjs', import.meta.url))
  const locker = spawn(process.execPath, [file, scene.broker], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(locker, 'exit')
  try {
    await once(locker.stdout, 'data')
    await untilHealth(scene, false, 'broker')
  } finally {
    locker.kill('SIGKILL')
  }
  await ended
  await untilHealth(scene, true)
})

test.concurrent('P-12 F-09 a worker whose processes cannot start is not ready until they can', {
  timeout,
}, async () => {
  await using scene = new Scene({ module: 'sick.mjs' })
  const worker = await scene.startWorker('-c', '1')
  await untilHealth(scene, true)
  writeFileSync(join(scene.folder, 'sick'), '')
  const [pid] = worker.children()
  process.kill(pid as number, 'SIGKILL')
  await untilHealth(scene, false, 'pool')
  rmSync(join(scene.folder, 'sick'))
  await untilHealth(scene, true)
})

test.concurrent('P-12 a worker whose main loop is blocked says by which task, and is ready afterwards', {
  timeout,
}, async () => {
  await using scene = new Scene()
  const worker = await scene.startWorker('-c', '4', '-P', 'async', '--health-port', '0')
  await untilHealth(scene, true)
  const waiting = await scene.send('until-released')
  const id = await scene.send('blocked-until-released')
  await scene.untilStarted(id)
  const { output } = await untilHealth(scene, false, 'blocked')
  expect(output).toMatch(
    new RegExp(`the main loop has been blocked for \\d+ s by task blocked-until-released\\[${id}\\]`),
  )
  const url = urlOf(worker)
  expect((await fetch(`${url}/live`)).status).toBe(200)
  const ready = await fetch(`${url}/ready`)
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { ready: false, state: 'running', reasons: [{ code: 'blocked', message: expect.stringContaining(id) }] },
  ])
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^celery_worker_ready\{hostname="[^"]+"\} 0$/m)
  scene.release()
  await untilHealth(scene, true)
  expect(await scene.value(await scene.send('add', 1, 2))).toBe(3)
  expect(await scene.outcome(waiting)).toBe('SUCCESS null')
})

test.concurrent('P-12 a worker that stops is not ready, and a process that stands still is said not to answer', {
  timeout,
}, async () => {
  await using scene = new Scene()
  const worker = await scene.startWorker('-c', '1', '-P', 'async')
  await untilHealth(scene, true)
  worker.signal('SIGSTOP')
  const { log, status } = await health(scene, '--timeout', '0.5')
  expect(status).toBe(1)
  expect(log).toContain('it has not answered for 0.5 s: its main loop is blocked, or the process is stopped, or')
  worker.signal('SIGCONT')
  await scene.untilStarted(await scene.send('until-released'))
  worker.signal('SIGTERM')
  await untilHealth(scene, false, 'stopping')
  scene.release()
  expect(await worker.exit()).toBe(0)
  expect(await health(scene)).toMatchObject({ status: 2 })
})

test.concurrent('P-12 a worker that waits for its broker at its start says so', { timeout }, async () => {
  await using scene = new Scene({ brokerFolder: '/dev/null/none' })
  const worker = scene.spawnWorker('-c', '1', '-P', 'async', '--health-port', '0')
  await worker.untilLogged('cannot use the broker')
  await untilHealth(scene, false, 'starting')
  expect((await fetch(`${urlOf(worker)}/ready`)).status).toBe(503)
  expect(await worker.stop()).toBe(0)
})

test.concurrent('a worker without health, by its setting, has no socket', { timeout }, async () => {
  await using scene = new Scene()
  const worker = await scene.startWorker('-c', '1', '-P', 'async', '--', 'worker_health=false')
  expect(await scene.value(await scene.send('add', 1, 2))).toBe(3)
  expect(existsSync(join(scene.folder, 'run'))).toBe(false)
  expect(await worker.stop()).toBe(0)
})

test.concurrent('a worker whose port is taken ends with 1, which is not the status of a worker that is not there', {
  timeout,
}, async () => {
  await using scene = new Scene()
  const one = await scene.startWorker('-c', '1', '-P', 'async', '--health-port', '0')
  const other = scene.spawnWorker('-c', '1', '-P', 'async', '--health-port', new URL(urlOf(one)).port)
  expect(await other.exit()).toBe(1)
  expect(other.log).toContain('choose another with healthPort')
})

test.concurrent('a folder in which others can put something has no worker of this user', { timeout }, async () => {
  await using scene = new Scene()
  mkdirSync(join(scene.folder, 'run'))
  chmodSync(join(scene.folder, 'run'), 0o777)
  const { log, status } = await health(scene)
  expect([status, log]).toEqual([2, expect.stringContaining('others can write to it')])
})
