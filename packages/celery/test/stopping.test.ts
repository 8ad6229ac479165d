import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { isAlive, Scene, until, untilAsync, type WorkerProcess } from './scene.ts'

/** Milliseconds that a stop may take besides the running tasks. */
const stopMs = 5_000

async function timed<Value>(run: () => Promise<Value>): Promise<readonly [Value, number]> {
  const started = performance.now()
  return [await run(), performance.now() - started]
}

describe('a warm stop', () => {
  test('F-11 under load: takes nothing more, lets what runs end, gives the rest back at once, loses and repeats nothing', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '2')
    const long = await scene.send('sleep', 1_500)
    await scene.untilStarted(long)
    const ids: string[] = []
    let stopping: Promise<number | NodeJS.Signals> | undefined
    for (let n = 0; n < 400; n++) {
      ids.push(await scene.send('add', n, 1))
      if (n === 200) stopping = worker.stop()
    }
    const stopped = performance.now()
    // Back in the queue while the long one still runs: another worker could take them.
    await untilAsync(async () => (await scene.queue()).held === 1, 'what was fetched ahead to be given back')
    expect(scene.ends(long)).toEqual([])
    expect(await stopping).toBe(0)
    expect(performance.now() - stopped).toBeLessThan(1_500 + stopMs)
    expect(scene.ends(long)).toHaveLength(1)
    const first = scene.starts().length
    const { held, ready } = await scene.queue()
    expect(held).toBe(0)
    expect(ready).toBe(401 - first)
    expect(ready).toBeGreaterThan(150)

    await scene.startWorker('-c', '2')
    expect(await Promise.all(ids.map((id) => scene.value(id)))).toEqual(ids.map((_, n) => n + 1))
    await scene.untilEmpty()
    for (const id of ids) expect(scene.starts(id)).toHaveLength(1)
  })

  test('F-11 what is given back was not worked on, so it does not count as redelivered', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true, maxRedeliveries: 0 } })
    const worker = await scene.startWorker('-c', '1')
    await scene.untilStarted(await scene.send('sleep', 500))
    const waiting = await scene.send('add', 1, 2)
    await until(() => worker.log.includes(waiting), 'the message to be received')
    expect(await worker.stop()).toBe(0)
    await scene.startWorker('-c', '1')
    expect(await scene.value(waiting)).toBe(3)
  })

  test.each(['prefork', 'async'])('P-10 of %s ends by itself, with all its processes', async (pool) => {
    await using scene = new Scene()
    const worker = await scene.startWorker('-c', '2', '-P', pool)
    const id = await scene.send('sleep', 800)
    await scene.untilStarted(id)
    const children = worker.children()
    expect(children).toHaveLength(pool === 'prefork' ? 2 : 0)
    const [status, took] = await timed(() => worker.stop())
    expect(status).toBe(0)
    expect(took).toBeLessThan(800 + stopMs)
    expect(scene.ends(id)).toHaveLength(1)
    expect(await scene.outcome(id)).toBe('SUCCESS null')
    expect(children.filter(isAlive)).toEqual([])
  })

  test('P-10 during the start is a stop too', async () => {
    await using scene = new Scene({ module: 'slow-start.mjs' })
    const worker = scene.spawnWorker('-c', '2')
    await worker.untilLogged('the child loads')
    const children = worker.children()
    const [status, took] = await timed(() => worker.stop())
    expect(status).toBe(0)
    expect(took).toBeLessThan(stopMs)
    expect(children.filter(isAlive)).toEqual([])
  })

  test('P-10 ends a program whose own modules would keep it', async () => {
    await using scene = new Scene({ module: 'never-ends.mjs' })
    const worker = await scene.startWorker('-c', '1')
    const [status, took] = await timed(() => worker.stop())
    expect(status).toBe(0)
    expect(took).toBeLessThan(stopMs)
  })
})

describe('a cold stop', () => {
  test.each([
    ['QUIT', ['SIGQUIT']],
    ['a second INT', ['SIGINT', 'SIGINT']],
    ['a second TERM', ['SIGTERM', 'SIGTERM']],
  ] as const)('by %s ends at once: late acks go back, the others fail', async (_name, signals) => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '2')
    const late = await scene.send('sleep', 60_000)
    const early = await scene.send('early.sleep', 60_000)
    await scene.untilStarted(late)
    await scene.untilStarted(early)
    const children = worker.children()
    const [status, took] = await timed(async () => {
      for (const [n, signal] of signals.entries()) {
        worker.signal(signal)
        if (n === 0) await worker.untilLogged(`${signal}: `)
      }
      return worker.exit()
    })
    expect(status).toBe(1)
    expect(took).toBeLessThan(stopMs)
    expect(children.filter(isAlive)).toEqual([])
    expect(await scene.outcome(early)).toMatch(/^FAILURE WorkerLostError/)
    expect(await scene.queue()).toMatchObject({ held: 0, ready: 1 })
    expect(await scene.state(late)).toBe('PENDING')
  })

  test('of the async pool fails or gives back what still runs', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '2', '-P', 'async')
    const late = await scene.send('sleep', 60_000)
    const early = await scene.send('early.sleep', 60_000)
    await scene.untilStarted(late)
    await scene.untilStarted(early)
    const [status, took] = await timed(() => worker.stop('SIGQUIT'))
    expect(status).toBe(1)
    expect(took).toBeLessThan(stopMs)
    expect(await scene.outcome(early)).toMatch(/^FAILURE WorkerLostError/)
    expect(await scene.queue()).toMatchObject({ held: 0, ready: 1 })
  })
})

describe('F-12 a stop that meets a message on its way', () => {
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
      scene.spawnWorker('-c', '1', '-P', n % 3 === 0 ? 'prefork' : 'async', '-n', `w${n}`)
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

describe('F-13 a stop while the broker is away', () => {
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
    expect(worker.log).toMatch(/could not be told to the broker|Task sleep.* succeeded/)
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
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'ignore' })
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
    execFileSync('umount', ['-l', this.path])
    rmSync(this.path, { recursive: true })
  }
}
