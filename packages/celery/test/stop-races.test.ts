import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Scene, timed, until, type WorkerProcess } from './scene.ts'

describe.concurrent('F-12 a stop that meets a message on its way', () => {
  /** The long form is 1,000. */
  const rounds = Number(process.env.CELERY_STOP_RACE_ROUNDS ?? 30)

  test(`loses and repeats nothing in ${rounds} rounds`, { timeout: 30_000 + rounds * 3_000 }, async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const ids: string[] = []
    const round = async (worker: WorkerProcess, n: number): Promise<void> => {
      await worker.untilLogged(' ready.')
      ids.push(await scene.send('add', n, 1))
      await sleep(n % 6)
      expect(await worker.stop()).toBe(0)
    }
    // The next worker gets ready while the last one stops, as in a rolling restart, on a queue of its own.
    const start = (n: number): WorkerProcess =>
      scene.spawnWorker('-c', '1', '-P', n % 5 === 0 ? 'prefork' : 'async', '-n', `w${n}`)
    let next = start(0)
    for (let n = 0; n < rounds; n++) {
      const worker = next
      await worker.untilLogged(' ready.')
      const stopped = round(worker, n)
      next = start(n + 1)
      await stopped
    }
    await next.untilLogged(' ready.')
    expect(await Promise.all(ids.map((id) => scene.outcome(id)))).toEqual(ids.map((_, n) => `SUCCESS ${n + 1}`))
    await scene.untilEmpty()
    for (const id of ids) expect(scene.starts(id)).toHaveLength(1)
    expect(await next.stop()).toBe(0)
  })
})

describe.concurrent('F-13 a stop while the broker is away', () => {
  const limitMs = 10_000

  test('its file is locked by somebody: ends by itself and says what it could not settle', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '1')
    const id = await scene.send('sleep', 1_000)
    await scene.untilStarted(id)
    await using _lock = await lockFile(scene.broker)
    await until(() => scene.ends(id).length === 1, 'the task to end')
    const [status, took] = await timed(() => worker.stop())
    expect(status).toBe(0)
    expect(took).toBeLessThan(limitMs)
    expect(worker.log).toContain('1 settlements could not be told to the broker')
  })

  test('its file was moved away: ends by itself, says so, and its task runs again when the file is back', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true, leaseMs: 1_000 } })
    const worker = await scene.startWorker('-c', '1')
    const id = await scene.send('sleep', 1_000)
    await scene.untilStarted(id)
    // A folder in its place, so that no new file can be made there.
    for (const suffix of ['', '-wal', '-shm']) renameSync(scene.broker + suffix, `${scene.broker}.away${suffix}`)
    mkdirSync(scene.broker)
    await until(() => scene.ends(id).length === 1, 'the task to end')
    const [status, took] = await timed(() => worker.stop())
    expect(status).toBe(0)
    expect(took).toBeLessThan(limitMs)
    expect(worker.log).toContain('1 settlements could not be told to the broker')

    await using later = new Scene({ settings: { taskAcksLate: true, leaseMs: 1_000 } })
    for (const suffix of ['', '-wal', '-shm']) renameSync(`${scene.broker}.away${suffix}`, later.broker + suffix)
    await later.startWorker('-c', '1')
    expect(await later.outcome(id)).toBe('SUCCESS null')
    expect(later.starts(id)).toHaveLength(1)
  })

  test('its disk is full: ends by itself and says what it could not settle', async ({ skip }) => {
    using disk = SmallDisk.mount()
    if (disk === undefined) return skip('only root may mount a small disk')
    await using scene = new Scene({ settings: { taskAcksLate: true }, brokerFolder: disk.path })
    const worker = await scene.startWorker('-c', '1')
    // Its result needs more room than there will be.
    const id = await scene.send('text', 500_000)
    const running = await scene.send('sleep', 1_000)
    expect(await scene.value(id)).toHaveLength(500_000)
    await scene.untilStarted(running)
    disk.fill()
    const large = scene.send('text', 500_000).catch((error: unknown) => error)
    await until(() => scene.ends(running).length === 1, 'the task to end')
    const [status, took] = await timed(() => worker.stop())
    expect(status).toBe(0)
    expect(took).toBeLessThan(limitMs)
    expect(worker.log).toContain('disk is full')
    expect(worker.log).toContain('1 settlements could not be told to the broker')
    // Trying again many times is no reason to say so many times.
    expect(worker.log.match(/cannot settle/g)?.length).toBeLessThan(10)
    await large
  })
})

/** Another program that writes into the file and does not come to an end. */
async function lockFile(path: string): Promise<AsyncDisposable> {
  const locker = fileURLToPath(new URL('./fixtures/lock-file.mjs', import.meta.url))
  const child = spawn(process.execPath, [locker, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** A file system of 4 MiB. */
class SmallDisk implements Disposable {
  readonly path: string

  /** `undefined` where that is not allowed. */
  static mount(): SmallDisk | undefined {
    const path = mkdtempSync(join(tmpdir(), 'celery-disk-'))
    try {
      execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'ignore' })
      return new SmallDisk(path)
    } catch {
      rmSync(path, { recursive: true })
      return undefined
    }
  }

  private constructor(path: string) {
    this.path = path
  }

  fill(): void {
    const filler = openSync(join(this.path, 'filler'), 'w')
    try {
      for (;;) writeSync(filler, new Uint8Array(4_096))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      closeSync(filler)
    }
  }

  [Symbol.dispose](): void {
    execFileSync('/bin/umount', ['-l', this.path])
    rmSync(this.path, { recursive: true })
  }
}
