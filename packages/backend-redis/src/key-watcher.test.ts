import { type Deferred, deferred } from '@celery/promises'
import { type RedisSubscriber, RedisUnavailableError } from '@celery/redis'
import { expect, test } from 'vitest'
import { KeyWatcher } from './key-watcher.ts'

const lost = new RedisUnavailableError('redis://h', 'closed')

/** Listens to nothing; what it is asked for is answered when the test says so. */
class FakeSubscriber implements RedisSubscriber {
  readonly address = 'redis://h'
  readonly ended: Deferred<void> = deferred()
  readonly subscribed: Deferred<void> = deferred()
  readonly closed: Promise<void> = this.ended.promise
  isClosed = false

  constructor() {
    this.closed.catch(() => {})
  }

  subscribe(): Promise<void> {
    return this.subscribed.promise
  }

  async unsubscribe(): Promise<void> {}

  async psubscribe(): Promise<void> {}

  async punsubscribe(): Promise<void> {}

  onMessage(): () => void {
    return () => {}
  }

  async close(): Promise<void> {
    this.isClosed = true
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

test('a connection that is lost before it listens leaves its successor alone', async () => {
  const subscribers: FakeSubscriber[] = []
  const watcher = new KeyWatcher({
    address: 'redis://h',
    open: async () => {
      const subscriber = new FakeSubscriber()
      subscribers.push(subscriber)
      return subscriber
    },
    retryPolicy: { maxRetries: 0 },
    onPublished: () => {},
  })
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const first = expect(watcher.watch(['a'], () => {})).rejects.toMatchObject({ code: 'ERR_CELERY_BACKEND_UNAVAILABLE' })
  await turn()
  subscribers[0]?.ended.reject(lost)
  await turn()
  const second = watcher.watch(['b'], () => {})
  await turn()
  subscribers[0]?.subscribed.reject(lost)
  await first
  subscribers[1]?.subscribed.resolve()
  await second
  await watcher.watch(['c'], () => {})
  expect(subscribers).toHaveLength(2)
  await watcher.close()
  expect(subscribers.map(({ isClosed }) => isClosed)).toEqual([true, true])
})
