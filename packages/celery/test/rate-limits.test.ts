import { expect, test } from 'vitest'
import { Scene, untilAsync } from './scene.ts'

const perSecond = 5

test.concurrent.each(['prefork', 'async'])(
  'WORK-044 %s starts limited tasks no faster than allowed, and others at once',
  async (pool) => {
    await using scene = new Scene()
    const worker = await scene.startWorker('-c', '1', '-P', pool)
    const limited = await Promise.all(Array.from({ length: 12 }, () => scene.send('limited')))
    const others = await Promise.all(Array.from({ length: 20 }, (_, n) => scene.send('add', n, 1)))
    for (const id of others) await scene.value(id)
    const before = scene.starts().filter(({ task }) => task === 'limited').length
    expect(before).toBeLessThan(limited.length)
    for (const id of limited) expect(await scene.value(id)).toBe('done')
    const starts = scene.starts().filter(({ task }) => task === 'limited')
    expect(starts).toHaveLength(limited.length)
    const gaps = starts.slice(1).map(({ at }, n) => at - (starts[n]?.at ?? 0))
    // The process tells the time when it starts, which may be late, so that two lie nearer: on the whole they cannot.
    const total = gaps.reduce((a, b) => a + b, 0)
    expect(total).toBeGreaterThan((gaps.length / perSecond) * 1_000 - 100)
    await scene.untilEmpty()
    expect(await worker.stop()).toBe(0)
  },
)

test.concurrent('WORK-044 a task that may run once a minute keeps no room from others, and is with the broker after a stop', async () => {
  await using scene = new Scene({ settings: { taskAcksLate: true } })
  const worker = await scene.startWorker('-c', '1')
  const ids = await Promise.all(Array.from({ length: 20 }, () => scene.send('rarely')))
  expect(await scene.value(ids[0] as string)).toBe('done')
  for (let n = 0; n < 20; n++) expect(await scene.value(await scene.send('add', n, 1))).toBe(n + 1)
  expect(await worker.stop()).toBe(0)
  const { delayed, held, ready } = await scene.queue()
  expect([delayed + ready, held]).toEqual([19, 0])
  expect(scene.starts().filter(({ task }) => task === 'rarely')).toHaveLength(1)
})

test.concurrent('CONF-160 workerDisableRateLimits lifts them, and taskDefaultRateLimit limits all others', async () => {
  await using free = new Scene({ settings: { workerDisableRateLimits: true, taskDefaultRateLimit: '1/h' } })
  await free.startWorker('-c', '1')
  const ids = await Promise.all(Array.from({ length: 5 }, () => free.send('rarely')))
  for (const id of ids) expect(await free.value(id)).toBe('done')

  await using limited = new Scene({ settings: { taskDefaultRateLimit: '1/h' } })
  await limited.startWorker('-c', '1')
  const adds = [await limited.send('add', 1, 1), await limited.send('add', 2, 2)]
  expect(await limited.value(adds[0] as string)).toBe(2)
  await untilAsync(async () => (await limited.queue()).delayed === 1, 'the second one to be parked')
  // A limit of its own comes first.
  for (const id of await Promise.all([limited.send('limited'), limited.send('limited')]))
    expect(await limited.value(id)).toBe('done')
})
