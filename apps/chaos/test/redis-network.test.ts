/** What networks do to a worker and its client on Redis: nothing, late, in crumbs, or for longer than anybody waits. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { deferred } from '@celery/promises'
import { isMissing, startFaultProxy } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { open, range, start, startWorker, until } from './clients-and-workers.ts'

const timeout = 120_000
/** Seconds within which something that will happen happens, on a machine that has other things to do. */
const patience = { timeout: 60 }
/** Timeouts of a connection, in seconds, so short that an outage is soon longer than all of them. */
const quick = { socket_timeout: 1, socket_connect_timeout: 1, health_check_interval: 1 }

describe.skipIf(isMissing('redis'))('whoever works over a network', { timeout }, () => {
  test('F-17 P-1 P-2 nobody gives up while the server is away for longer than every timeout', async () => {
    const server = await start()
    const options = { brokerTransportOptions: quick, resultBackendTransportOptions: quick, leaseMs: 1_000 }
    const app = open({ broker: server.url, backend: server.url, settings: options })
    const [begun, released] = [deferred(), deferred()]
    let runs = 0
    const held = app.task(
      'held',
      async () => {
        runs++
        begun.resolve()
        await released.promise
        return 'through the outage'
      },
      { acksLate: true },
    )
    const add = app.task('add', (a: number, b: number) => a + b, { acksLate: true })
    const { complaints, logged, worker } = await startWorker(app)
    const result = await held.delay()
    await begun.promise
    const waited = result.get(patience)
    const awayAt = performance.now()
    await server.kill()
    // Each of these tries for as long as a caller waits by default, and is then told that the broker is away.
    while (performance.now() - awayAt < 3_500) {
      await expect(add.delay(1, 2)).rejects.toMatchObject({ code: 'ERR_CELERY_OPERATIONAL' })
    }
    const attempts = complaints.length
    const seconds = (performance.now() - awayAt) / 1_000
    // Pauses grow from 0.1 s or so to 1.5 s, and each of the three that need the server may say so.
    expect(attempts).toBeLessThan(10 + 3 * seconds)
    const again = logged('consuming again')
    await server.restart()
    await again
    expect(await (await add.delay(3, 4)).get(patience)).toBe(7)
    released.resolve()
    expect(await waited).toBe('through the outage')
    await worker.idle()
    expect([runs, await server.send('HLEN', 'unacked'), await server.send('LLEN', 'celery')]).toEqual([1, 0, 0])
  })

  test('F-33 P-2 P-7 a worker that is cut off for longer than its lease works on, and its late outcomes change nothing', async () => {
    const server = await start()
    await using proxy = await startFaultProxy(server)
    const url = proxy.url(server.url)
    const lease = { leaseMs: 1_000 }
    const far = open({
      broker: url,
      backend: url,
      settings: { brokerTransportOptions: quick, resultBackendTransportOptions: quick, ...lease },
    })
    const near = open({ broker: server.url, backend: server.url, settings: lease })
    const [released, runsFar, runsNear] = [deferred(), [] as number[], [] as number[]]
    let endedFar = 0
    far.task(
      'task',
      async (n: number) => {
        runsFar.push(n)
        await released.promise
        endedFar++
        return 'far'
      },
      { acksLate: true },
    )
    near.task(
      'task',
      (n: number) => {
        runsNear.push(n)
        return 'near'
      },
      { acksLate: true },
    )
    const cutOff = await startWorker(far, { prefetchMultiplier: 2 })
    const sent = range(12)
    const results = await Promise.all(sent.map((n) => near.sendTask('task', [n])))
    // Its two slots and as many again, so that it fetches no more.
    const inFlight = 4
    while (Number(await server.send('HLEN', 'unacked')) < inFlight || runsFar.length < 2) await nextTurn()
    const found = cutOff.logged('consumer: ')
    proxy.swallow()
    const other = await startWorker(near)
    expect(await Promise.all(results.map((result) => result.get(patience)))).toEqual(sent.map(() => 'near'))
    // Here and there: what ran when the line broke, and what had been fetched by then.
    released.resolve()
    await until(() => endedFar >= 2)
    await found
    const again = cutOff.logged('consuming again')
    await proxy.restore()
    await again
    await cutOff.worker.idle()
    await other.worker.idle()
    expect(runsNear.toSorted((a, b) => a - b)).toEqual(sent)
    expect(runsFar.length).toBeLessThanOrEqual(inFlight)
    expect(new Set(runsFar).size).toBe(runsFar.length)
    expect(await Promise.all(results.map(({ id }) => near.asyncResult(id).get(patience)))).toEqual(
      sent.map(() => 'near'),
    )
    expect([await server.send('HLEN', 'unacked'), await server.send('LLEN', 'celery')]).toEqual([0, 0])
    // The worker that was away does its part again.
    await other.worker.stop()
    expect(await (await near.sendTask('task', [sent.length])).get(patience)).toBe('far')
  })

  test('F-34 P-2 a slow network is no outage: nothing times out, nothing is taken over, each task runs once', async () => {
    const server = await start()
    await using proxy = await startFaultProxy(server)
    const url = proxy.url(server.url)
    const settings = { leaseMs: 3_000, workerPrefetchMultiplier: 4 }
    const app = open({ broker: url, backend: url, settings })
    const near = open({ broker: server.url, backend: server.url, settings })
    const started = new Map<number, number>()
    const run = (n: number): number => {
      started.set(n, (started.get(n) ?? 0) + 1)
      return n
    }
    const task = app.task('task', run, { acksLate: true })
    near.task('task', run, { acksLate: true })
    const [begun, released] = [deferred(), deferred()]
    let runs = 0
    const held = async (): Promise<void> => {
      runs++
      begun.resolve()
      await released.promise
    }
    const slowly = app.task('held', held, { acksLate: true })
    near.task('held', held, { acksLate: true })
    for (const each of [app, near]) each.task('near', () => {})
    const slow = await startWorker(app, { concurrency: 10 })
    proxy.latency(300, 200)
    const kept = await slowly.delay()
    await begun.promise
    const begunAt = performance.now()
    // Would take over what the slow one cannot keep.
    const other = await startWorker(near)
    const sent = range(40)
    const results = await Promise.all(sent.map((n) => task.delay(n)))
    expect(await Promise.all(results.map((result) => result.get(patience)))).toEqual(sent)
    // Until the lease would have ended.
    while (performance.now() - begunAt < 4_000) await (await near.sendTask('near')).get(patience)
    released.resolve()
    await kept.get(patience)
    expect([started.size, [...started.values()].every((times) => times === 1), runs]).toEqual([sent.length, true, 1])
    await proxy.restore()
    expect([...slow.complaints, ...other.complaints]).toEqual([])
  })

  test('F-35 a stream that comes byte by byte, both ways, is understood', async () => {
    const server = await start()
    await using proxy = await startFaultProxy(server)
    proxy.slice(1)
    const url = proxy.url(server.url)
    const app = open({ broker: url, backend: url })
    let runs = 0
    const echo = app.task(
      'echo',
      (text: string) => {
        runs++
        return text
      },
      { acksLate: true },
    )
    const { complaints, worker } = await startWorker(app)
    const texts = range(20).map((n) => `${n}\r\n$-1\r\n zażółć 🐇 ${'\u0000'.repeat(n)}`)
    const results = await Promise.all(texts.map((text) => echo.delay(text)))
    expect(await Promise.all(results.map((result) => result.get(patience)))).toEqual(texts)
    await worker.idle()
    expect([runs, await server.send('HLEN', 'unacked'), complaints]).toEqual([texts.length, 0, []])
  })

  test('F-42 whoever waits for a result while its store restarts sees what was stored meanwhile', async () => {
    const [broker, store] = [await start(), await start()]
    await using proxy = await startFaultProxy(store)
    const near = open({ broker: broker.url, backend: store.url })
    const client = open({ broker: broker.url, backend: proxy.url(store.url) })
    const [begun, released] = [deferred(), deferred()]
    near.task('held', async () => {
      begun.resolve()
      await released.promise
      return 'stored in the gap'
    })
    near.task('add', (a: number, b: number) => a + b)
    await startWorker(near)
    const result = await client.sendTask('held')
    const waited = result.get(patience)
    // Its connections are there.
    expect(await (await client.sendTask('add', [1, 2])).get(patience)).toBe(3)
    await begun.promise
    await proxy.refuse()
    await store.kill()
    await store.restart()
    released.resolve()
    expect(await near.asyncResult(result.id).get(patience)).toBe('stored in the gap')
    const backAt = performance.now()
    await proxy.restore()
    expect(await waited).toBe('stored in the gap')
    // Promised are two seconds; the rest is for machines that have other things to do.
    expect(performance.now() - backAt).toBeLessThan(5_000)
  })

  test('F-43 P-2 neither a delay nor a task of three times the visibility timeout makes anything run twice', async () => {
    const server = await start()
    const settings = { brokerTransportOptions: { visibility_timeout: 1 }, leaseMs: 1_000 }
    const apps = [1, 2].map(() => open({ broker: server.url, backend: server.url, settings }))
    const [begun, released] = [deferred(), deferred()]
    const starts: string[] = []
    const startedAt = new Map<string, number>()
    for (const app of apps) {
      app.task(
        'held',
        async () => {
          starts.push('held')
          begun.resolve()
          await released.promise
        },
        { acksLate: true },
      )
      app.task(
        'delayed',
        () => {
          starts.push('delayed')
          startedAt.set('delayed', Date.now())
        },
        { acksLate: true },
      )
      await startWorker(app)
    }
    const [client] = apps
    const held = await client!.sendTask('held')
    await begun.promise
    const due = Date.now() + 3_000
    const delayed = await client!.sendTask('delayed', [], { eta: new Date(due) })
    await delayed.get(patience)
    expect(startedAt.get('delayed')).toBeGreaterThanOrEqual(due - 1_000)
    released.resolve()
    await held.get(patience)
    expect(starts).toEqual(['held', 'delayed'])
    expect(await server.send('HLEN', 'unacked')).toBe(0)
  })
})
