import { Celery } from '@celery/app'
import { deferred } from '@celery/promises'
import {
  type BrokerConnection,
  ConnectionLostError,
  type OpenOptions,
  type Publication,
  type Transport,
} from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { expect, onTestFinished, test } from 'vitest'
import { createWorker } from '../src/index.ts'

/** A broker whose deliveries outlive their connection, and whose wires can all be cut. It parks, but delays nothing that is published. */
function withSessions() {
  const memory = memoryTransport({ sessions: true })
  const capabilities = { ...memory.capabilities, delayedPublish: false }
  const live = new Set<() => Promise<void>>()
  let opened = 0
  const transport: Transport = {
    ...memory,
    capabilities,
    async open(address, options: OpenOptions = {}) {
      opened++
      const broker = await memory.open(address, options)
      const lost = new AbortController()
      const cut = async (): Promise<void> => {
        live.delete(cut)
        lost.abort(new ConnectionLostError(address.toString()))
        await broker.close({ sessionGoesOn: true })
      }
      live.add(cut)
      return new Proxy(broker, {
        get(target, name: keyof BrokerConnection) {
          if (name === 'capabilities') return capabilities
          if (name === 'publish') return (all: readonly Publication[]) => target.publish(all.map(withoutTime))
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          return async (...args: unknown[]) => {
            try {
              return (await value.apply(target, args)) as unknown
            } catch (error) {
              throw lost.signal.aborted ? lost.signal.reason : error
            }
          }
        },
      })
    },
  }
  const cutAll = async (): Promise<void> => void (await Promise.all([...live].map((cut) => cut())))
  return { transport, cutAll, opened: () => opened, memory }
}

function setUp() {
  const broker = withSessions()
  const app = new Celery('test', { broker: 'memory://', backend: 'memory://', notify: () => {} })
  app.transports.register('memory', async () => broker.transport)
  onTestFinished(() => app.close())
  return { ...broker, app }
}

test('P-2 tasks that run or wait here when the connection is lost run once, and are settled over the next one', async () => {
  const { app, cutAll, opened } = setUp()
  const runs: number[] = []
  const [begun, gate] = [deferred(), deferred()]
  const task = app.task(
    'slow',
    async (n: number) => {
      runs.push(n)
      begun.resolve()
      await gate.promise
      return n
    },
    { acksLate: true },
  )
  const worker = createWorker(app, { concurrency: 1, pool: 'async', prefetchMultiplier: 3, logger: silent })
  await worker.start()
  onTestFinished(() => worker.stop())
  const results = [await task.delay(1), await task.delay(2), await task.delay(3)]
  await begun.promise
  const before = opened()
  await cutAll()
  gate.resolve()
  const values = []
  for (const result of results) values.push(await result.get({ timeout: 60 }))
  expect(values).toEqual([1, 2, 3])
  expect(opened()).toBeGreaterThan(before)
  await worker.stop()
  expect(runs).toEqual([1, 2, 3])
  const info = await (await app.connectionForRead().broker()).declareQueue({ name: 'celery' })
  expect(info).toMatchObject({ ready: 0, held: 0, delayed: 0 })
})

test('a task for later is parked by the worker that gets it, though its message came at once', async () => {
  const { app } = setUp()
  const ranAt: number[] = []
  const task = app.task('later', () => void ranAt.push(Date.now()))
  const dueMs = Date.now() + 400
  const result = await task.applyAsync([], { eta: new Date(dueMs) })
  const observer = await app.connectionForRead().broker()
  expect(await observer.declareQueue({ name: 'celery' })).toMatchObject({ ready: 1, delayed: 0 })
  const worker = createWorker(app, { concurrency: 1, pool: 'async', logger: silent })
  await worker.start()
  onTestFinished(() => worker.stop())
  await result.get({ timeout: 60 })
  expect(ranAt).toHaveLength(1)
  // A timer may fire a little before its time.
  expect(ranAt[0]).toBeGreaterThanOrEqual(dueMs - 50)
})

/** Whoever cannot hold it back passes over when it is due. */
function withoutTime({ notBeforeMs: _, ...publication }: Publication): Publication {
  return publication
}

const silent = { debug() {}, info() {}, warning() {}, error() {}, critical() {}, isEnabled: () => false }
