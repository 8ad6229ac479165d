import { describe, expect, test } from 'vitest'
import { isAlive, Scene, timed, until, untilAsync } from './scene.ts'

/** Milliseconds that a stop may take besides the running tasks. */
const stopMs = 5_000

describe.concurrent('a warm stop', () => {
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
