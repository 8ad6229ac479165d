import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { isAlive, Scene, timed, untilAsync } from './scene.ts'

/** P-10: milliseconds that a stop may take after the end of the last task. */
const stopMs = 2_000
/** A cold one ends at once, but no row says how soon that is: as long as a busy machine may need. */
const coldStopMs = 5_000

describe.concurrent('a warm stop', () => {
  test.each([
    ['late', true],
    ['early', false],
  ])(
    'F-11 under load, with %s ack: takes nothing more, lets what runs end, gives the rest back at once, loses and repeats nothing',
    async (_when, taskAcksLate) => {
      await using scene = new Scene({ settings: { taskAcksLate } })
      const worker = await scene.startWorker('-c', '2')
      const long = await scene.send('until-released')
      await scene.untilStarted(long)
      const ids: string[] = []
      let stopping: Promise<number | NodeJS.Signals> | undefined
      for (let n = 0; n < 400; n++) {
        ids.push(await scene.send('add', n, 1))
        if (n === 200) stopping = worker.stop()
      }
      // Back in the queue while the long one still runs: another worker could take them.
      const held = taskAcksLate ? 1 : 0
      await untilAsync(async () => (await scene.queue()).held === held, 'what was fetched ahead to be given back')
      expect(scene.ends(long)).toEqual([])
      scene.release()
      const [status, took] = await timed(async () => stopping)
      expect(status).toBe(0)
      expect(took).toBeLessThan(stopMs)
      expect(await scene.outcome(long)).toBe('SUCCESS null')
      const first = scene.starts().length
      expect(scene.ends()).toHaveLength(first)
      expect(await scene.queue()).toMatchObject({ held: 0, ready: 401 - first })
      expect(401 - first).toBeGreaterThan(150)

      await scene.startWorker('-c', '2')
      expect(await Promise.all(ids.map((id) => scene.value(id)))).toEqual(ids.map((_, n) => n + 1))
      await scene.untilEmpty()
      for (const id of [long, ...ids]) expect(scene.starts(id)).toHaveLength(1)
    },
  )

  test('F-11 what is given back was not worked on, so it does not count as redelivered', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true, maxRedeliveries: 0 } })
    const worker = await scene.startWorker('-c', '1')
    await scene.untilStarted(await scene.send('until-released'))
    const waiting = await scene.send('add', 1, 2)
    await worker.untilLogged(`[${waiting}] received`)
    const stopping = worker.stop()
    await untilAsync(async () => (await scene.queue()).ready === 1, 'what was fetched ahead to be given back')
    scene.release()
    expect(await stopping).toBe(0)
    expect(scene.starts(waiting)).toEqual([])
    await scene.startWorker('-c', '1')
    expect(await scene.value(waiting)).toBe(3)
  })

  test.each(['prefork', 'async'])('P-10 of %s ends by itself, with all its processes', async (pool) => {
    await using scene = new Scene()
    const worker = await scene.startWorker('-c', '2', '-P', pool)
    const id = await scene.send('until-released')
    await scene.untilStarted(id)
    const children = worker.children()
    expect(children).toHaveLength(pool === 'prefork' ? 2 : 0)
    const stopping = worker.stop()
    await worker.untilLogged('warm shutdown')
    expect(scene.ends(id)).toEqual([])
    scene.release()
    const [status, took] = await timed(async () => stopping)
    expect(status).toBe(0)
    expect(took).toBeLessThan(stopMs)
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

describe.concurrent('a cold stop', () => {
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
        if (n > 0) continue
        await worker.untilLogged(`${signal}: `)
        // The same one within 100 ms would be the same wish.
        await sleep(150)
      }
      return worker.exit()
    })
    expect(status).toBe(1)
    expect(took).toBeLessThan(coldStopMs)
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
    expect(took).toBeLessThan(coldStopMs)
    expect(await scene.outcome(early)).toMatch(/^FAILURE WorkerLostError/)
    expect(await scene.queue()).toMatchObject({ held: 0, ready: 1 })
  })
})

describe('a soft shutdown', () => {
  test('WORK-074 lets running tasks end within its time, and takes nothing more', async () => {
    await using scene = new Scene({ settings: { workerSoftShutdownTimeout: 60 } })
    const worker = await scene.startWorker('-c', '1')
    const running = await scene.send('until-released')
    await scene.untilStarted(running)
    const waiting = await scene.send('add', 1, 2)
    worker.signal('SIGQUIT')
    await worker.untilLogged('SIGQUIT: soft shutdown, terminating in 60 seconds')
    await untilAsync(async () => (await scene.queue()).ready === 1, 'the other task to be in the queue')
    scene.release()
    expect(await worker.exit()).toBe(0)
    expect(await scene.outcome(running)).toBe('SUCCESS null')
    expect(scene.starts(waiting)).toEqual([])
  })

  test('WORK-074 is cold when its time is over: late acks go back', async () => {
    await using scene = new Scene({ settings: { workerSoftShutdownTimeout: 0.3, taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '1')
    await scene.untilStarted(await scene.send('sleep', 60_000))
    const children = worker.children()
    expect(await worker.stop('SIGQUIT')).toBe(1)
    expect(worker.log).toContain('the time of the soft shutdown is over')
    expect(await scene.queue()).toMatchObject({ held: 0, ready: 1 })
    expect(children.filter(isAlive)).toEqual([])
  })

  test('WORK-074 follows a warm one, and a further signal cuts it short', async () => {
    await using scene = new Scene({ settings: { workerSoftShutdownTimeout: 60, taskAcksLate: true } })
    const worker = await scene.startWorker('-c', '1')
    await scene.untilStarted(await scene.send('sleep', 60_000))
    for (const phase of ['warm', 'soft', 'cold']) {
      worker.signal('SIGINT')
      await worker.untilLogged(`SIGINT: ${phase} shutdown`)
      await sleep(150)
    }
    expect(await worker.exit()).toBe(1)
    expect(await scene.queue()).toMatchObject({ held: 0, ready: 1 })
  })

  test('WORK-076 with REMAP_SIGTERM=SIGQUIT a TERM is cold', async () => {
    await using scene = new Scene({ settings: { taskAcksLate: true }, env: { REMAP_SIGTERM: 'SIGQUIT' } })
    const worker = await scene.startWorker('-c', '1')
    await scene.untilStarted(await scene.send('sleep', 60_000))
    expect(await worker.stop('SIGTERM')).toBe(1)
    expect(worker.log).toContain('SIGTERM: cold shutdown')
    expect(await scene.queue()).toMatchObject({ held: 0, ready: 1 })
  })
})
