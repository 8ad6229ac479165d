import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Worker as Thread } from 'node:worker_threads'
import { deferred } from '@celery/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { HealthSource } from './health-answer.ts'
import { HealthKeeper } from './health-keeper.ts'
import { LastTitle } from './last-title.ts'
import { MainLoopBeat } from './main-loop-beat.ts'

const source: HealthSource = {
  notLive: async () => undefined,
  report: async () => ({}) as never,
  metrics: async () => '',
}

test('P-12 a thread that died is replaced also when its port is taken for a while, and says so', async () => {
  const port = await freePort()
  const errors: string[] = []
  const [died, refused] = [deferred(), deferred()]
  const beat = new MainLoopBeat()
  beat.start()
  const keeper = new HealthKeeper({
    source,
    port,
    host: '127.0.0.1',
    place: undefined,
    memory: { beat: beat.shared, lastTask: new LastTitle().shared },
    onError: (error) => {
      errors.push(error.message)
      if (errors.length === 1) died.resolve()
      else refused.resolve()
    },
  })
  onTestFinished(async () => {
    await keeper.stop()
    beat.stop()
  })
  const [[thread]] = await Promise.all([once(process, 'worker') as Promise<[Thread]>, keeper.start()])
  await thread.terminate()
  await died.promise
  const other = await listen(port)
  await refused.promise
  expect(errors[0]).toMatch(/^its thread ended with exit status/)
  expect(errors[1]).toContain(`127.0.0.1:${port}`)
  other.close()
  while (!(await isLive(port))) await nextTurn()
})

test('a port that is taken from the start ends the start', async () => {
  const port = await freePort()
  const other = await listen(port)
  const errors: Error[] = []
  const keeper = new HealthKeeper({
    source,
    port,
    host: '127.0.0.1',
    place: undefined,
    memory: { beat: new MainLoopBeat().shared, lastTask: new LastTitle().shared },
    onError: (error) => void errors.push(error),
  })
  await expect(keeper.start()).rejects.toMatchObject({ code: 'ERR_CELERY_HEALTH_ADDRESS' })
  await keeper.stop()
  other.close()
  expect(errors).toEqual([])
})

async function isLive(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/live`).then(
    ({ ok }) => ok,
    () => false,
  )
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function freePort(): Promise<number> {
  const server = await listen(0)
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('it listens on a port')
  return address.port
}
