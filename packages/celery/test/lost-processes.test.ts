import { openDatabase, withBusyRetry } from '@celery/sqlite'
import { describe, expect, test } from 'vitest'
import { isAlive, Scene, until, untilAsync, type WorkerProcess } from './scene.ts'

describe.concurrent('a pool process that is killed in the middle of a task', () => {
  test('F-01 with late ack: the task fails as lost, the message is settled, the slot comes back, siblings run on', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '2')
    const sibling = await scene.send('sleep', 2_000)
    const victim = await scene.send('sleep', 60_000)
    const { pid } = await scene.untilStarted(victim)
    const { pid: siblingPid } = await scene.untilStarted(sibling)
    const killedAt = performance.now()
    process.kill(pid, 'SIGKILL')

    expect(await scene.outcome(victim)).toMatch(/^FAILURE WorkerLostError: .*signal SIGKILL/)
    expect(performance.now() - killedAt).toBeLessThan(2_000)
    await until(() => worker.children().length === 2 && !worker.children().includes(pid), 'a new process')
    expect(performance.now() - killedAt).toBeLessThan(1_000)
    expect(await scene.outcome(sibling)).toBe('SUCCESS null')
    expect(scene.starts(sibling)).toHaveLength(1)
    expect(worker.children()).toContain(siblingPid)
    await scene.untilEmpty()
    expect(scene.starts(victim)).toHaveLength(1)
    expect(await scene.value(await scene.send('add', 1, 2))).toBe(3)
  })

  test('F-01 with reject-on-worker-lost: the task is redelivered and runs', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true, taskRejectOnWorkerLost: true } })
    await scene.startWorker('-c', '2')
    const id = await scene.send('sleep', 1_000)
    process.kill((await scene.untilStarted(id)).pid, 'SIGKILL')
    expect(await scene.outcome(id)).toBe('SUCCESS null')
    expect(scene.starts(id)).toHaveLength(2)
    expect(scene.ends(id)).toHaveLength(1)
    await scene.untilEmpty()
  })

  test('F-01 with early ack: only what was running is lost, and it fails', async () => {
    await using scene = new Scene()
    await scene.startWorker('-c', '1')
    const running = await scene.send('sleep', 60_000)
    const { pid } = await scene.untilStarted(running)
    const waiting = await Promise.all([scene.send('add', 1, 1), scene.send('add', 2, 2), scene.send('add', 3, 3)])
    process.kill(pid, 'SIGKILL')
    expect(await scene.outcome(running)).toMatch(/^FAILURE WorkerLostError/)
    expect(await Promise.all(waiting.map((id) => scene.value(id)))).toEqual([2, 4, 6])
    for (const id of waiting) expect(scene.starts(id)).toHaveLength(1)
    await scene.untilEmpty()
  })

  test('F-15 that takes its process along every time: it is dead-lettered after its redeliveries, and others keep running', async () => {
    await using scene = new Scene({
      settings: { taskAcksLate: true, taskRejectOnWorkerLost: true, maxRedeliveries: 2 },
    })
    await scene.startWorker('-c', '2')
    const poison = await scene.send('kill')
    const others = await Promise.all(Array.from({ length: 20 }, (_, n) => scene.send('add', n, 1)))
    expect(await scene.outcome(poison)).toMatch(/^FAILURE WorkerLostError: the message came back 3 times/)
    expect(scene.starts(poison)).toHaveLength(3)
    expect(await Promise.all(others.map((id) => scene.value(id)))).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
    const [dead] = await scene.deadLetters()
    expect(dead?.deadReason).toContain('came back 3 times')
    await scene.untilEmpty()
  })
})

describe.concurrent('a task that ends its process', () => {
  const endings: readonly [task: string, args: readonly unknown[], outcome: RegExp][] = [
    ['exit', [0], /exit status 0/],
    ['exit', [3], /exit status 3/],
    ['abort', [], /signal SIGABRT|exit status 134/],
    ['throw-in-timer', [], /thrown in a timer/],
    ['reject-unhandled', [], /rejected and not handled/],
  ]

  test('F-07 fails with the exit status, and the slot comes back', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '1')
    for (const [task, args, expected] of endings) {
      const id = await scene.send(task, ...args)
      const outcome = await scene.outcome(id)
      expect(outcome, task).toMatch(/^FAILURE WorkerLostError/)
      expect(outcome, task).toMatch(expected)
      expect(scene.starts(id), task).toHaveLength(1)
      expect(await scene.value(await scene.send('add', 1, 1))).toBe(2)
    }
    expect(worker.children()).toHaveLength(1)
    await scene.untilEmpty()
  })
})

describe.concurrent('a worker that is killed', () => {
  const leaseMs = 1_500

  test('F-02 F-03 with late ack: an idle worker runs all that it had, within the lease; its processes end, and store nothing', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true, leaseMs } })
    const { children, kill, running, waiting } = await killedScene(scene)
    const killedAt = await kill()
    await until(() => !children.some(isAlive), 'the orphans to end')
    expect(performance.now() - killedAt).toBeLessThan(2_000)
    for (const id of running) {
      const { pid } = await scene.untilStarted(id, 2)
      expect(children).not.toContain(pid)
    }
    // P-3. The row's own figure, the lease, leaves a slow machine no room: the chaos program measures that.
    expect(performance.now() - killedAt).toBeLessThan(leaseMs + 5_000)
    scene.release()
    expect(await Promise.all(waiting.map((id) => scene.value(id)))).toEqual([1, 2, 3])
    expect(await Promise.all(running.map((id) => scene.outcome(id)))).toEqual(['SUCCESS null', 'SUCCESS null'])
    // Duplicates: what ran there, once. What had ended there: nothing.
    for (const id of running) expect(scene.starts(id)).toHaveLength(2)
    expect(scene.ends().filter(({ pid }) => children.includes(pid))).toEqual([])
    for (const id of waiting) expect(scene.starts(id)).toHaveLength(1)
    await scene.untilEmpty()
  })

  test('F-02 with early ack: an idle worker runs all that had not started, once; what ran is lost, and does not run again', async () => {
    await using scene = new Scene({ settings: { leaseMs } })
    const { children, kill, running, waiting } = await killedScene(scene)
    const killedAt = await kill()
    expect(await Promise.all(waiting.map((id) => scene.value(id)))).toEqual([1, 2, 3])
    expect(performance.now() - killedAt).toBeLessThan(leaseMs + 5_000)
    await scene.untilEmpty()
    for (const id of waiting) {
      const starts = scene.starts(id)
      expect(starts).toHaveLength(1)
      expect(children).not.toContain(starts[0]?.pid)
    }
    // Nobody is left who could tell of them.
    for (const id of running) {
      expect(scene.starts(id)).toHaveLength(1)
      expect(scene.ends(id)).toEqual([])
      expect(await scene.state(id)).toBe('PENDING')
    }
  })

  test('F-03 leaves no process behind, not even an idle one or one that blocks', async () => {
    await using scene = new Scene()
    const worker = await scene.startWorker('-c', '3')
    await scene.untilStarted(await scene.send('block', 60_000))
    const children = worker.children()
    expect(children).toHaveLength(3)
    const killedAt = performance.now()
    worker.signal('SIGKILL')
    await until(() => !children.some(isAlive), 'the orphans to end')
    expect(performance.now() - killedAt).toBeLessThan(2_000)
  })

  /** A worker that runs two tasks, one of them blocking, and has fetched three more; beside it an idle one. */
  async function killedScene(scene: Scene) {
    const first = await scene.startWorker('-c', '2', '-n', 'first')
    const running = [await scene.send('until-released'), await scene.send('blocked-until-released')]
    for (const id of running) await scene.untilStarted(id)
    const waiting = await Promise.all([1, 2, 3].map((n) => scene.send('add', n, 0)))
    for (const id of waiting) await first.untilLogged(`[${id}] received`)
    const children = first.children()
    await scene.startWorker('-c', '3', '-n', 'second')
    /** Returns when that was, on the monotonic clock. */
    const kill = async (): Promise<number> => {
      expect(scene.ends()).toEqual([])
      const killedAt = performance.now()
      first.signal('SIGKILL')
      await first.ended
      return killedAt
    }
    return { children, kill, running, waiting }
  }
})

test.concurrent('F-04 a worker stopped for longer than the lease: others run its tasks, it changes nothing of theirs, and works again', async () => {
  await using scene = new Scene({ settings: { taskAcksLate: true, leaseMs: 1_000 } })
  const stale = await scene.startWorker('-c', '1', '-n', 'stale')
  const id = await scene.send('pid-after', 1_000)
  const { pid: stalePid } = await scene.untilStarted(id)
  await stopWhereItWritesNothing(stale, scene.broker)
  const fresh = await scene.startWorker('-c', '1', '-n', 'fresh')
  const { pid: freshPid } = await scene.untilStarted(id, 2)
  expect(freshPid).not.toBe(stalePid)
  expect(await scene.value(id)).toBe(freshPid)
  // The process of the stopped worker is not stopped: its outcome waits for the worker to look at it.
  await until(() => scene.ends(id).length === 2, 'both to end')
  await fresh.stop()

  stale.signal('SIGCONT')
  await stale.untilLogged('had gone to another worker')
  expect(await scene.value(id)).toBe(freshPid)
  const next = await scene.send('add', 1, 2)
  expect(await scene.value(next)).toBe(3)
  expect(scene.starts(id)).toHaveLength(2)
  await scene.untilEmpty()
  expect(await stale.stop()).toBe(0)
})

/** A process that is stopped in the middle of a transaction has the file locked until it goes on, and nobody can work. */
async function stopWhereItWritesNothing(worker: WorkerProcess, broker: string): Promise<void> {
  const database = await openDatabase(broker)
  try {
    await untilAsync(async () => {
      worker.signal('SIGSTOP')
      try {
        await withBusyRetry(() => database.transaction(() => {}), { deadlineMs: 1_000 })
        return true
      } catch {
        worker.signal('SIGCONT')
        return false
      }
    }, 'the worker to be stopped outside of a transaction')
  } finally {
    database.close()
  }
}
