/** Outages that no random plan has: the next broker of several, and a result store apart from the broker. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { deferred } from '@celery/promises'
import { isMissing, startFaultProxy } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { open, range, start, startWorker, until } from './clients-and-workers.ts'

const timeout = 120_000

describe.skipIf(isMissing('redis'))('a worker on Redis', { timeout }, () => {
  test('F-25 goes on with the next broker where its results were in the transactions of the first', async () => {
    const [first, second] = [await start(), await start()]
    const app = open({ broker: [first.url, second.url], backend: first.url })
    const client = open({ broker: second.url, backend: first.url })
    const [begun, released] = [deferred(), deferred()]
    const add = app.task('add', (a: number, b: number) => a + b, { acksLate: true })
    const held = app.task(
      'held',
      async () => {
        begun.resolve()
        await released.promise
        return 'after the failover'
      },
      { acksLate: true },
    )
    const { logged, worker } = await startWorker(app)
    expect(await (await add.delay(1, 2)).get({ timeout: 30 })).toBe(3)
    const atFailover = await held.delay()
    await begun.promise
    const consumesAgain = logged('consuming again')
    await first.kill()
    released.resolve()
    await consumesAgain
    const results = await Promise.all([3, 4, 5].map((n) => client.sendTask('add', [n, n])))
    await first.restart()
    expect(await Promise.all(results.map((result) => result.get({ timeout: 30 })))).toEqual([6, 8, 10])
    expect(await client.asyncResult(atFailover.id).get({ timeout: 30 })).toBe('after the failover')
    expect(await second.send('LLEN', 'celery.dead')).toBe(0)
    await worker.idle()
    expect(await second.send('HLEN', 'unacked')).toBe(0)
  })

  test('F-36 P-11 takes no more than its window while the result store is away, and says so', async () => {
    const [broker, store] = [await start(), await start()]
    const app = open({ broker: broker.url, backend: store.url })
    let runs = 0
    const task = app.task('task', () => ++runs, { acksLate: true })
    let heard = 0
    const unkept = app.task('unkept', () => void ++heard, { ignoreResult: true })
    const { url, worker } = await startWorker(app, { prefetchMultiplier: 1, healthPort: 0 })
    await store.kill()
    await Promise.all(range(100).map(() => unkept.delay()))
    await until(() => heard === 100)
    const results = await Promise.all(range(4_000).map(() => task.delay()))
    const ready = async (): Promise<string> => (await fetch(`${url()}/ready`)).text()
    let said = ''
    while (!said.includes('"results"')) said = await ready()
    expect(said).toContain('nothing is taken until results can be stored')
    const held = async (): Promise<number> => Number(await broker.send('HLEN', 'unacked'))
    // What had been fetched is run, some of it only now, and nothing else comes.
    await until(async () => worker.active === 0 && (await held()) === runs)
    // What the store may be behind when nobody knows yet that it is away, and one for each slot.
    expect(runs).toBeLessThanOrEqual(2_002)
    expect(Number(await broker.send('LLEN', 'celery')) + (await held())).toBe(results.length)
    await store.restart()
    await Promise.all(results.map((result) => result.get({ timeout: 60 })))
    expect([runs, await broker.send('LLEN', 'celery')]).toEqual([results.length, 0])
    while (!(await ready()).includes('"ready":true')) await nextTurn()
  })

  test('F-32 P-2 finds that its connections are silent, and settles what it holds on new ones: nothing runs twice', async () => {
    const server = await start()
    await using proxy = await startFaultProxy(server)
    const url = proxy.url(server.url)
    // So that it takes seconds only; by default it is half a minute at most.
    const quick = { socket_timeout: 1, socket_connect_timeout: 1, health_check_interval: 1 }
    const app = open({
      broker: url,
      backend: url,
      settings: { brokerTransportOptions: quick, resultBackendTransportOptions: quick },
    })
    const client = open({ broker: server.url, backend: server.url })
    const [begun, released] = [deferred(), deferred()]
    let runs = 0
    app.task(
      'held',
      async () => {
        runs++
        begun.resolve()
        await released.promise
      },
      { acksLate: true },
    )
    app.task('add', (a: number, b: number) => a + b, { acksLate: true })
    const { logged, worker } = await startWorker(app)
    const held = await client.sendTask('held')
    await begun.promise
    const found = logged('consumer: ')
    const silentSince = performance.now()
    proxy.swallow()
    // Also what ends amid the silence is settled when it is over.
    const sum = await client.sendTask('add', [1, 2])
    released.resolve()
    await found
    expect(performance.now() - silentSince).toBeLessThan(10_000)
    const again = logged('consuming again')
    await proxy.restore()
    await again
    expect(await sum.get({ timeout: 30 })).toBe(3)
    await held.get({ timeout: 30 })
    await worker.idle()
    expect([runs, await server.send('HLEN', 'unacked'), await server.send('LLEN', 'celery')]).toEqual([1, 0, 0])
  })

  test('P-12 is not ready within ten seconds where its server is silent or gone, and is again when it is back', async () => {
    const server = await start()
    const app = open({ broker: server.url, backend: server.url })
    const task = app.task('task', () => 'done')
    const { url } = await startWorker(app, { healthPort: 0 })
    const untilReady = async (isReady: boolean): Promise<string> => {
      const since = performance.now()
      for (;;) {
        const response = await fetch(`${url()}/ready`)
        const text = await response.text()
        expect(performance.now() - since).toBeLessThan(10_000)
        if (response.ok === isReady) return text
      }
    }
    expect(await (await task.delay()).get({ timeout: 30 })).toBe('done')
    await untilReady(true)
    server.pause()
    expect(await untilReady(false)).toContain('"code":"broker"')
    server.resume()
    await untilReady(true)
    await server.kill()
    expect(await untilReady(false)).toContain('"code":"broker"')
    await server.restart()
    await untilReady(true)
    expect(await (await task.delay()).get({ timeout: 30 })).toBe('done')
  })

  // Promised are two seconds after the last task; the rest is for machines that have other things to do.
  test.each(['when a task has just ended', 'when nothing runs'])(
    'P-10 stops in time where its server is silent, %s',
    async (when) => {
      const server = await start()
      const app = open({ broker: server.url, backend: server.url })
      const [begun, released] = [deferred(), deferred()]
      const task = app.task(
        'task',
        async () => {
          begun.resolve()
          await released.promise
        },
        { acksLate: true },
      )
      const { worker } = await startWorker(app)
      await task.delay()
      await begun.promise
      if (when === 'when nothing runs') {
        released.resolve()
        await worker.idle()
      }
      server.pause()
      released.resolve()
      await until(() => worker.active === 0)
      const stoppedAt = performance.now()
      await worker.stop()
      await app.close()
      expect(performance.now() - stoppedAt).toBeLessThan(3_500)
      server.resume()
    },
  )
})
