import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { computedMs, forbidFiles, limitMemory, starve } from './process-limits.ts'
import { isAlive, Scene, timed, until } from './scene.ts'

const faults = 'faults.mjs'
/** Several waits of 25 s each, on a machine that is busy. */
const longMs = 120_000

test(
  'F-05 a process that the system kills for its memory: its task fails, all others go on',
  async () => {
    await using scene = new Scene({ module: faults, settings: { taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '2', '-O', 'fair')
    const sibling = await scene.send('until-released')
    const { pid } = await scene.untilStarted(sibling)
    const [victim] = worker.children().filter((child) => child !== pid)
    await using _limit = await limitMemory(victim as number, 64 * 2 ** 20)
    const id = await scene.send('eat-memory')
    expect(await scene.outcome(id)).toMatch(/^FAILURE WorkerLostError: .*signal SIGKILL/)
    const [value, tookMs] = await timed(async () => scene.value(await scene.send('add', 2, 3)))
    expect(value).toBe(5)
    // 2 s by the row; a busy machine takes longer to start a process.
    expect(tookMs).toBeLessThan(10_000)
    expect(worker.process.exitCode).toBeNull()
    expect(scene.ends(sibling)).toEqual([])
    scene.release()
    expect(await scene.outcome(sibling)).toBe('SUCCESS null')
    expect(scene.starts(sibling)).toHaveLength(1)
    await scene.untilEmpty()
    expect(await worker.stop()).toBe(0)
  },
  longMs,
)

test(
  'F-06 a heap that is full again and again: each task fails with the status, and processes are not started in a storm',
  async () => {
    await using scene = new Scene({
      env: { NODE_OPTIONS: '--max-old-space-size=64' },
      settings: { taskAcksLate: true },
    })
    const worker = await scene.startWorker('-c', '1', '-l', 'debug')
    for (let round = 0; round < 3; round++) {
      const id = await scene.send('exhaust-heap')
      expect(await scene.outcome(id)).toMatch(/^FAILURE WorkerLostError: .*(SIGABRT|SIGTRAP|exit status 134)/)
      expect(scene.starts(id)).toHaveLength(1)
    }
    expect(await scene.value(await scene.send('add', 2, 3))).toBe(5)
    await scene.untilEmpty()
    expect(await worker.stop()).toBe(0)
    expect(worker.log.match(/process \d+ ended with/g)?.length).toBeLessThanOrEqual(4)
  },
  longMs,
)

test(
  'F-08 an endless loop: the soft limit cannot end it, the hard one does; the errback runs and the failure is told',
  async () => {
    await using scene = new Scene({ module: faults })
    const worker = await scene.startWorker('-c', '1', '-P', 'prefork')
    const spin = scene.client.signature('spin', [], { softTimeLimit: 1, timeLimit: 2 })
    spin.linkError(scene.client.signature('errback', [], { immutable: true } as never))
    const { id } = await spin.applyAsync()
    const start = await scene.untilStarted(id)
    expect(await scene.outcome(id)).toMatch(/^FAILURE TimeLimitExceeded/)
    // Hard limit and one second by the row; the machine may be busy.
    expect(Date.now() - start.at).toBeGreaterThanOrEqual(1_900)
    expect(Date.now() - start.at).toBeLessThan(12_000)
    await until(() => !isAlive(start.pid), 'its process to end')
    const seen = (what: string, task: string): boolean =>
      scene.ledger().some((line) => (line.what as string) === what && line.task === task)
    await until(() => seen('start', 'errback'), 'the errback to run')
    expect(seen('failure', 'spin')).toBe(true)
    expect(scene.starts(id)).toHaveLength(1)
    await scene.untilEmpty()
    expect(await worker.stop()).toBe(0)
  },
  longMs,
)

test(
  'F-15 a task that kills its process every time: five redeliveries by default, then a dead letter; all others run, once',
  async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true, taskRejectOnWorkerLost: true } })
    await scene.startWorker('-c', '2')
    const poison = await scene.send('kill')
    const others: string[] = []
    for (let n = 0; scene.starts(poison).length < 6; n++) {
      others.push(await scene.send('add', n, 1))
      await sleep(20)
    }
    expect(await scene.outcome(poison)).toMatch(/^FAILURE WorkerLostError: the message came back 6 times/)
    expect(scene.starts(poison)).toHaveLength(6)
    expect(await Promise.all(others.map((id) => scene.value(id)))).toEqual(others.map((_, n) => n + 1))
    // Where it died nothing else ran, so that nothing else runs twice (P-2).
    for (const id of others) expect(scene.starts(id)).toHaveLength(1)
    expect((await scene.deadLetters())[0]?.deadReason).toContain('came back 6 times')
    await scene.untilEmpty()
  },
  longMs,
)

test(
  'F-37 a worker that can open no more files says so, does not spin, keeps what it has, and goes on when it can',
  async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '1')
    expect(await scene.value(await scene.send('add', 1, 1))).toBe(2)
    const giveBack = forbidFiles(worker.pid)
    const [child] = worker.children()
    process.kill(child as number, 'SIGKILL')
    await until(() => /EMFILE|too many open files/i.test(worker.log), 'the log to say why')
    const id = await scene.send('add', 2, 2)
    const [before, started] = [computedMs(worker.pid), performance.now()]
    await sleep(2_000)
    expect(computedMs(worker.pid) - before).toBeLessThan((performance.now() - started) / 2)
    expect(worker.process.exitCode).toBeNull()
    giveBack()
    expect(await scene.value(id)).toBe(4)
    expect(scene.starts(id)).toHaveLength(1)
    await scene.untilEmpty()
    expect(await worker.stop()).toBe(0)
  },
  longMs,
)

test(
  'F-52 a worker that gets a tenth of the time keeps the lease of what it runs: nobody else runs it again',
  async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true, leaseMs: 3_000 } })
    const slow = await scene.startWorker('-c', '1', '-n', 'slow', '--prefetch-multiplier', '1')
    const id = await scene.send('until-released')
    const { pid } = await scene.untilStarted(id)
    await using _load = starve([slow.pid, pid])
    const idle = await scene.startWorker('-c', '1', '-n', 'idle')
    // Longer than two leases; the other one works meanwhile.
    for (const end = performance.now() + 7_000; performance.now() < end; )
      expect(await scene.value(await scene.send('add', 1, 1))).toBe(2)
    expect(scene.starts(id)).toHaveLength(1)
    scene.release()
    expect(await scene.outcome(id)).toBe('SUCCESS null')
    expect(scene.starts(id)).toHaveLength(1)
    expect(slow.log).not.toContain('had gone to another worker')
    expect(await idle.stop()).toBe(0)
  },
  longMs,
)
