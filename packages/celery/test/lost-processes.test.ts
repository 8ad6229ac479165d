import { describe, expect, test } from 'vitest'
import { isAlive, Scene, until } from './scene.ts'

/** Measured times are of the machine, which others use too: what has to take a second may take this much here. */
const patience = 3

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
    expect(performance.now() - killedAt).toBeLessThan(2_000 * patience)
    await until(() => worker.children().length === 2 && !worker.children().includes(pid), 'a new process')
    expect(performance.now() - killedAt).toBeLessThan(1_000 * patience)
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
    expect(await scene.outcome(poison)).toMatch(/^FAILURE WorkerLostError: .*3 lost workers/)
    expect(scene.starts(poison)).toHaveLength(3)
    expect(await Promise.all(others.map((id) => scene.value(id)))).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
    const [dead] = await scene.deadLetters()
    expect(dead?.deadReason).toContain('lost workers')
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

  test('F-02 F-03: an idle worker runs all that it had, within the lease; its processes end, and store nothing', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true, leaseMs } })
    const first = await scene.startWorker('-c', '2', '-n', 'first')
    const running = [await scene.send('sleep', 6_000), await scene.send('block', 6_000)]
    for (const id of running) await scene.untilStarted(id)
    // One more than can run: prefetched, never started there.
    const waiting = await scene.send('add', 1, 2)
    const children = first.children()
    await scene.startWorker('-c', '3', '-n', 'second')
    const killedAt = performance.now()
    first.signal('SIGKILL')
    await first.ended

    await until(() => !children.some(isAlive), 'the orphans to end')
    expect(performance.now() - killedAt).toBeLessThan(2_000 * patience)
    for (const id of running) {
      const { pid } = await scene.untilStarted(id, 2)
      expect(children).not.toContain(pid)
    }
    expect(performance.now() - killedAt).toBeLessThan(leaseMs + 5_000)
    expect(await scene.value(waiting)).toBe(3)
    expect(await Promise.all(running.map((id) => scene.outcome(id)))).toEqual(['SUCCESS null', 'SUCCESS null'])
    // Duplicates: what ran there, once. What had ended there: nothing.
    for (const id of running) expect(scene.starts(id)).toHaveLength(2)
    expect(scene.ends().filter(({ pid }) => children.includes(pid))).toEqual([])
    expect(scene.starts(waiting)).toHaveLength(1)
    await scene.untilEmpty()
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
    expect(performance.now() - killedAt).toBeLessThan(2_000 * patience)
  })

  test('with early ack: what was running is lost, what was waiting is not', async () => {
    await using scene = new Scene({ settings: { leaseMs } })
    const first = await scene.startWorker('-c', '1', '-n', 'first')
    const running = await scene.send('sleep', 60_000)
    await scene.untilStarted(running)
    const waiting = await Promise.all([scene.send('add', 1, 1), scene.send('add', 2, 2)])
    await until(() => first.log.includes(waiting[1] as string), 'the messages to be received')
    first.signal('SIGKILL')
    await scene.startWorker('-c', '1', '-n', 'second')
    expect(await Promise.all(waiting.map((id) => scene.value(id)))).toEqual([2, 4])
    await scene.untilEmpty()
    expect(scene.starts(running)).toHaveLength(1)
    expect(await scene.state(running)).toBe('PENDING')
  })
})

test.concurrent('F-04 a worker stopped for longer than the lease: others run its tasks, it changes nothing of theirs, and works again', async () => {
  await using scene = new Scene({ settings: { taskAcksLate: true, leaseMs: 1_000 } })
  const stale = await scene.startWorker('-c', '1', '-n', 'stale')
  const id = await scene.send('pid-after', 1_000)
  const { pid: stalePid } = await scene.untilStarted(id)
  stale.signal('SIGSTOP')
  const fresh = await scene.startWorker('-c', '1', '-n', 'fresh')
  const { pid: freshPid } = await scene.untilStarted(id, 2)
  expect(freshPid).not.toBe(stalePid)
  expect(await scene.value(id)).toBe(freshPid)
  // The process of the stopped worker is not stopped: its outcome waits for the worker to look at it.
  await until(() => scene.ends(id).length === 2, 'both to end')
  await fresh.stop()

  const continuedAt = performance.now()
  stale.signal('SIGCONT')
  await stale.untilLogged('had gone to another worker')
  expect(await scene.value(id)).toBe(freshPid)
  const next = await scene.send('add', 1, 2)
  expect(await scene.value(next)).toBe(3)
  expect(performance.now() - continuedAt).toBeLessThan(5_000)
  expect(scene.starts(id)).toHaveLength(2)
  await scene.untilEmpty()
  expect(await stale.stop()).toBe(0)
})
