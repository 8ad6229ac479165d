import { describe, expect, test } from 'vitest'
import { isAlive, Scene, untilAsync } from './scene.ts'

const pools = [
  { pool: 'prefork', isolates: true, blocked: 'blocked-until-released' },
  { pool: 'threads', isolates: true, blocked: 'blocked-until-released' },
  // Nothing can stop code that runs in the worker's own thread: there the task only waits.
  { pool: 'async', isolates: false, blocked: 'until-released' },
  { pool: 'solo', isolates: false, blocked: 'until-released' },
] as const

describe.each(pools)('the pool $pool', ({ blocked, isolates, pool }) => {
  test('runs what succeeds, fails, and comes too late', async () => {
    await using scene = new Scene()
    const worker = await scene.startWorker('-c', '2', '-P', pool)
    expect(await scene.outcome(await scene.send('add', 2, 3))).toBe('SUCCESS 5')
    expect(await scene.outcome(await scene.send('fail', 'no'))).toBe('FAILURE TypeError: no')
    const { id: soft } = await scene.client.sendTask('until-aborted', [], { softTimeLimit: 0.1 })
    expect(await scene.outcome(soft)).toMatch(/^FAILURE SoftTimeLimitExceeded/)
    const pid = await scene.value(await scene.send('pid'))
    if (pool === 'prefork') expect(worker.children()).toContain(pid)
    else expect(pid).toBe(worker.pid)
    expect(await worker.stop()).toBe(0)
  })

  test('F-08 at its hard limit a task fails, and what comes after it runs', async () => {
    await using scene = new Scene()
    const worker = await scene.startWorker('-c', '1', '-P', pool)
    const { id } = await scene.client.sendTask(blocked, [], { timeLimit: 0.3 })
    expect(await scene.outcome(id)).toMatch(/^FAILURE TimeLimitExceeded/)
    if (!isolates) await worker.untilLogged('is stuck')
    else expect(worker.log).not.toContain('is stuck')
    const next = await scene.send('add', 2, 3)
    // In the worker's own thread the slot stays taken until the function settles.
    if (!isolates) scene.release()
    expect(await scene.outcome(next)).toBe('SUCCESS 5')
    expect(scene.starts(id)).toHaveLength(1)
    expect(await worker.stop()).toBe(0)
  })

  test('P-10 a warm stop gives back what has not started and lets the rest end', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '1', '-P', pool)
    const running = await scene.send(blocked)
    await scene.untilStarted(running)
    const waiting = await Promise.all([scene.send('add', 1, 1), scene.send('add', 2, 2)])
    worker.signal('SIGTERM')
    await worker.untilLogged('warm shutdown')
    await untilAsync(async () => (await scene.queue()).ready === 2, 'the others to be in the queue')
    expect(scene.ends(running)).toEqual([])
    scene.release()
    expect(await worker.exit()).toBe(0)
    expect(await scene.outcome(running)).toBe('SUCCESS null')
    for (const id of waiting) expect(scene.starts(id)).toEqual([])
  })

  test('a cold stop ends what runs: early acks fail, late acks go back', async () => {
    await using scene = new Scene()
    for (const [task, ready] of [
      ['early.sleep', 0],
      ['late.sleep', 1],
    ] as const) {
      const worker = await scene.startWorker('-c', '1', '-P', pool)
      const id = await scene.send(task, 60_000)
      await scene.untilStarted(id)
      const children = worker.children()
      expect(await worker.stop('SIGQUIT')).toBe(1)
      expect(children.filter(isAlive)).toEqual([])
      expect(await scene.queue()).toMatchObject({ held: 0, ready })
      if (ready === 0) expect(await scene.outcome(id)).toMatch(/^FAILURE WorkerLostError/)
      else expect(await scene.state(id)).toBe('PENDING')
    }
  })
})

test.each(['prefork', 'threads'])(
  'of %s a task that ends its process or thread is lost, and others run',
  async (pool) => {
    await using scene = new Scene()
    const worker = await scene.startWorker('-c', '1', '-P', pool)
    for (const task of ['exit', 'throw-in-timer', 'reject-unhandled']) {
      const id = await scene.send(task, 3)
      expect(await scene.outcome(id)).toMatch(/^FAILURE WorkerLostError/)
      expect(await scene.outcome(await scene.send('add', 2, 3))).toBe('SUCCESS 5')
    }
    expect(await worker.stop()).toBe(0)
  },
)

test('POOL-009 a thread is replaced after so many tasks', async () => {
  await using scene = new Scene()
  const worker = await scene.startWorker('-c', '1', '-P', 'threads', '--max-tasks-per-child', '2', '-l', 'debug')
  const ids = await Promise.all(Array.from({ length: 6 }, (_, n) => scene.send('add', n, 1)))
  expect(await Promise.all(ids.map((id) => scene.value(id)))).toEqual([1, 2, 3, 4, 5, 6])
  await worker.untilLogged('ended with exit status 0')
  expect(await worker.stop()).toBe(0)
})

test('OPT-001 -O fair: a process gets no task while it has one, however short they are', async () => {
  await using scene = new Scene()
  const worker = await scene.startWorker('-c', '2', '-P', 'prefork', '-O', 'fair', '--prefetch-multiplier', '50')
  // Teaches the pool that they are short: without -O fair they are sent ahead from then on.
  await Promise.all(Array.from({ length: 60 }, async () => scene.value(await scene.send('add', 1, 1))))
  const blocker = await scene.send('blocked-until-released')
  await scene.untilStarted(blocker)
  const ids = await Promise.all(Array.from({ length: 60 }, (_, n) => scene.send('add', n, 0)))
  expect(await Promise.all(ids.map((id) => scene.value(id)))).toEqual(ids.map((_, n) => n))
  expect(scene.ends(blocker)).toEqual([])
  scene.release()
  expect(await worker.stop()).toBe(0)
})

test('F-06 a process whose heap is full is lost with its exit status, and others run', async () => {
  await using scene = new Scene({ env: { NODE_OPTIONS: '--max-old-space-size=64' } })
  const worker = await scene.startWorker('-c', '1', '-P', 'prefork')
  const id = await scene.send('exhaust-heap')
  expect(await scene.outcome(id)).toMatch(/^FAILURE WorkerLostError: .*(SIGABRT|SIGTRAP|exit status)/)
  expect(await scene.outcome(await scene.send('add', 2, 3))).toBe('SUCCESS 5')
  expect(await worker.stop()).toBe(0)
})

test('F-43 a task delayed for longer than a lease runs once, when it is time', async () => {
  await using scene = new Scene({ settings: { leaseMs: 1_000, taskAcksLate: true } })
  const worker = await scene.startWorker('-c', '1')
  const due = Date.now() + 3_500
  const { id } = await scene.client.sendTask('add', [2, 3], { eta: new Date(due) })
  expect(await scene.outcome(id)).toBe('SUCCESS 5')
  const starts = scene.starts(id)
  expect(starts).toHaveLength(1)
  expect(Math.abs((starts[0]?.at ?? 0) - due)).toBeLessThan(1_000)
  expect(await worker.stop()).toBe(0)
})
