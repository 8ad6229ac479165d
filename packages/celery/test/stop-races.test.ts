import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Scene, timed, until, untilAsync, type WorkerProcess } from './scene.ts'

describe.concurrent('F-12 a stop that meets messages on their way', () => {
  /** The long form is 1,000. */
  const rounds = Number(process.env.CELERY_STOP_RACE_ROUNDS ?? 30)

  test(`loses and repeats nothing in ${rounds} rounds`, { timeout: 30_000 + rounds * 3_000 }, async ({ annotate }) => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const queueOf = (round: number): string => `race-${round}`
    const pools = ['prefork', 'async', 'async']
    // Each worker has a queue of its own, so that no other can take what it leaves. The next one gets ready meanwhile.
    const start = (round: number): WorkerProcess => {
      const pool = pools[round % pools.length] as string
      return scene.spawnWorker('-c', '1', '-P', pool, '-n', `w${round}`, '-Q', queueOf(round))
    }
    const races: Race[] = []
    let next = start(0)
    for (let round = 0; round < rounds; round++) {
      const worker = next
      await worker.untilLogged(' ready.')
      if (round + 1 < rounds) next = start(round + 1)
      races.push(await race(scene, worker, queueOf(round), round))
    }

    const left = races.filter(({ ready }) => ready > 0)
    if (left.length > 0) await scene.startWorker('-c', '1', '-P', 'async', '-Q', left.map(({ queue }) => queue).join())
    const ids = races.flatMap((one) => one.ids)
    const outcomes = await Promise.all(ids.map((id) => scene.outcome(id)))
    expect(outcomes).toEqual(races.flatMap((_, round) => [`SUCCESS ${round}`, `SUCCESS ${round}`]))
    for (const { queue } of left) await scene.untilEmpty(queue)
    const [started, ended] = [scene.starts(), scene.ends()].map((lines) => lines.map(({ id }) => id).sort())
    expect(started).toEqual([...ids].sort())
    expect(ended).toEqual(started)
    const given = races.reduce((sum, { ready }) => sum + ready, 0)
    const slowest = Math.max(...races.map(({ knownMs }) => knownMs))
    await annotate(
      `${ids.length - given} ran, ${given} stayed in the queue, known ${slowest.toFixed()} ms after the exit`,
    )
  })

  interface Race {
    readonly queue: string
    readonly ids: readonly string[]
    /** How many of them the worker left to others. */
    readonly ready: number
    /** Milliseconds after the end of the worker at which the queue said so. */
    readonly knownMs: number
  }

  /** Sends a task that is acknowledged late and one that is acknowledged early up to 5 ms before or after the signal. */
  async function race(scene: Scene, worker: WorkerProcess, queue: string, round: number): Promise<Race> {
    const tasks = round % 2 === 0 ? ['add', 'early.add'] : ['early.add', 'add']
    const send = () => Promise.all(tasks.map((task) => scene.client.sendTask(task, [round, 0], { queue })))
    const signalAfterMs = (round % 11) - 5
    if (signalAfterMs < 0) worker.signal('SIGTERM')
    const sending = signalAfterMs < 0 ? sleep(-signalAfterMs).then(send) : send()
    const sent = await sending
    if (signalAfterMs >= 0) {
      await sleep(signalAfterMs)
      worker.signal('SIGTERM')
    }
    const status = await worker.exit()
    expect(status, worker.log).toBe(0)
    const ids = sent.map(({ id }) => id)
    const exitedAt = performance.now()
    // It has run what it has started, and nobody else is there: the rest is ready, and nothing held.
    const ready = ids.filter((id) => scene.starts(id).length === 0).length
    for (const id of ids) expect(scene.ends(id)).toHaveLength(scene.starts(id).length)
    const isThere = async (): Promise<boolean> => {
      const info = await scene.queue(queue)
      return info.held === 0 && info.ready === ready
    }
    await untilAsync(isThere, `${ready} messages to be in the queue`, 1_000)
    return { queue, ids, ready, knownMs: performance.now() - exitedAt }
  }
})

describe.concurrent('F-13 a stop while the broker is away', () => {
  /** After the end of the task. P-10's 2 s are met too, on a machine with nothing else to do; here they would be too tight. */
  const limitMs = 10_000

  const acks = [
    ['late', true],
    ['early', false],
  ] as const

  test.each(acks)(
    'its file is locked by somebody, with %s ack: ends by itself and says what it could not settle',
    async (_when, taskAcksLate) => {
      await using scene = new Scene({ settings: { taskAcksLate, leaseMs: 1_000 } })
      const worker = await scene.startWorker('-c', '1')
      const tasks = await oneRunsOneWaits(scene, worker, taskAcksLate)
      {
        await using _lock = await lockFile(scene.broker)
        await endsWhileAway(scene, worker, tasks.running, taskAcksLate)
      }
      const before = scene.starts(tasks.waiting).length
      await scene.startWorker('-c', '1')
      await expectNothingLost(scene, tasks, taskAcksLate)
      expect(scene.starts(tasks.waiting)).toHaveLength(before + 1)
      // With late ack nobody knew that it had run: it was in flight when the file was locked, and runs again.
      expect(scene.starts(tasks.running)).toHaveLength(taskAcksLate ? 2 : 1)
    },
  )

  test.each(acks)(
    'its file was moved away, with %s ack: ends by itself, says so, and all goes on when the file is back',
    async (_when, taskAcksLate) => {
      await using scene = new Scene({ settings: { taskAcksLate, leaseMs: 1_000 } })
      const worker = await scene.startWorker('-c', '1')
      const tasks = await oneRunsOneWaits(scene, worker, taskAcksLate)
      // A folder in its place, so that no new file can be made there.
      for (const suffix of ['', '-wal', '-shm']) renameSync(scene.broker + suffix, `${scene.broker}.away${suffix}`)
      mkdirSync(scene.broker)
      await endsWhileAway(scene, worker, tasks.running, taskAcksLate)

      await using later = new Scene({ settings: { taskAcksLate, leaseMs: 1_000 } })
      later.release()
      for (const suffix of ['', '-wal', '-shm']) renameSync(`${scene.broker}.away${suffix}`, later.broker + suffix)
      await later.startWorker('-c', '1')
      await expectNothingLost(later, tasks, taskAcksLate)
      expect(later.starts(tasks.waiting)).toHaveLength(1)
      expect(later.starts(tasks.running)).toHaveLength(taskAcksLate ? 1 : 0)
    },
  )

  test('its disk is full: ends by itself and says what it could not settle', async ({ skip }) => {
    using disk = SmallDisk.mount()
    if (disk === undefined) return skip('only root may mount a small disk')
    await using scene = new Scene({ settings: { taskAcksLate: true }, brokerFolder: disk.path })
    const worker = await scene.startWorker('-c', '1')
    // Its result needs more room than there will be.
    const id = await scene.send('text', 500_000)
    const running = await scene.send('until-released')
    expect(await scene.value(id)).toHaveLength(500_000)
    await scene.untilStarted(running)
    disk.fill()
    const large = scene.send('text', 500_000).catch((error: unknown) => error)
    scene.release()
    await until(() => scene.ends(running).length === 1, 'the task to end')
    const [status, took] = await timed(() => worker.stop())
    expect(status).toBe(0)
    expect(took).toBeLessThan(limitMs)
    expect(worker.log).toContain('disk is full')
    expect(worker.log).toContain('1 settlement could not be told to the broker')
    // Trying again many times is no reason to say so many times.
    expect(worker.log.match(/cannot settle/g)?.length).toBeLessThan(10)
    await large
  })

  interface Tasks {
    readonly running: string
    /** Fetched ahead. Mostly given back; started if the other one ends sooner than its process hears of that. */
    readonly waiting: string
  }

  async function oneRunsOneWaits(scene: Scene, worker: WorkerProcess, acksLate: boolean): Promise<Tasks> {
    const running = await scene.send('until-released')
    await scene.untilStarted(running)
    const waiting = await scene.send('add', 1, 2)
    await worker.untilLogged(`[${waiting}] received`)
    // An early ack is sent when the task starts, and only what the broker has confirmed is not delivered again.
    const held = acksLate ? 2 : 1
    await untilAsync(async () => (await scene.queue()).held === held, `${held} messages to be held`)
    return { running, waiting }
  }

  /** The stop comes while the task runs. */
  async function endsWhileAway(scene: Scene, worker: WorkerProcess, running: string, acksLate: boolean): Promise<void> {
    const stopping = worker.stop()
    await worker.untilLogged('warm shutdown')
    expect(scene.ends()).toEqual([])
    scene.release()
    const [status, took] = await timed(async () => stopping)
    expect(status).toBe(0)
    expect(took).toBeLessThan(limitMs)
    expect(scene.ends(running)).toHaveLength(1)
    expect(worker.log).toMatch(/[23] settlements could not be told to the broker/)
    const isNamed = worker.log.includes(`1 result may be lost, acknowledged early: until-released[${running}]`)
    expect(isNamed).toBe(!acksLate)
  }

  /** Where a worker is there again: all that the first one could not tell of is done. */
  async function expectNothingLost(scene: Scene, { running, waiting }: Tasks, acksLate: boolean): Promise<void> {
    expect(await scene.value(waiting)).toBe(3)
    if (acksLate) expect(await scene.outcome(running)).toBe('SUCCESS null')
    await scene.untilEmpty()
    if (!acksLate) expect(await scene.state(running)).toBe('PENDING')
  }
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
