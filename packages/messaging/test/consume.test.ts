import { deferred, ManualClock } from '@celery/promises'
import { ConnectionLostError } from '@celery/transport'
import { describe, expect, test } from 'vitest'
import { type Connection, type ConsumeOptions, consume, MessageProducer, Queue } from '../src/index.ts'
import { brokers } from './brokers.ts'
import { setUp } from './set-up.ts'

const q = new Queue('q')

async function publish(connection: Connection, ...bodies: readonly unknown[]): Promise<void> {
  const producer = new MessageProducer({ connection, routingKey: 'q' })
  for (const body of bodies) await producer.publish(body)
}

/** Consumes `q` until `handler` has seen `count` messages. */
async function consumeUntil(
  count: number,
  connection: Connection,
  handler: ConsumeOptions['handler'],
  options: Partial<ConsumeOptions> = {},
): Promise<readonly unknown[]> {
  const end = new AbortController()
  const seen: unknown[] = []
  await consume({
    connection,
    queues: [q],
    signal: end.signal,
    ...options,
    async handler(message, context) {
      seen.push(message.payload)
      try {
        await handler(message, context)
      } finally {
        if (seen.length === count) end.abort()
      }
    },
  })
  return seen
}

describe.each(brokers)('consuming on $name', ({ open }) => {
  test('hands every message to the handler and acknowledges it when that returns', async () => {
    const connection = open().connect()
    await publish(connection, 1, 2, 3, 4)
    expect(await consumeUntil(3, connection, () => {})).toEqual([1, 2, 3])
    expect(await q.info(connection)).toMatchObject({ ready: 1, held: 0 })
  })

  test('gives a message again whose handler failed, and buries it in the end', async () => {
    const connection = open().connect()
    await publish(connection, 'poison', 'fine')
    const errors: unknown[] = []
    const seen = await consumeUntil(
      4,
      connection,
      ({ payload }) => {
        if (payload === 'poison') throw new Error('cannot')
      },
      { maxRedeliveries: 2, onError: (error, message) => errors.push([(error as Error).message, message?.payload]) },
    )
    expect(seen).toEqual(['poison', 'poison', 'poison', 'fine'])
    expect(errors).toEqual([
      ['cannot', 'poison'],
      ['cannot', 'poison'],
      ['cannot', 'poison'],
    ])
    expect((await new Queue('q.dead').info(connection)).ready).toBe(1)
  })
})

describe('the runner', () => {
  test('leaves a message alone that its handler settled', async () => {
    const { connection } = setUp()
    await publish(connection, 1)
    await consumeUntil(1, connection, async (message) => void (await message.reject()))
    expect((await new Queue('q.dead').info(connection)).ready).toBe(1)
    expect((await q.info(connection)).ready).toBe(0)
  })

  test('deals with so many messages at a time', async () => {
    const { connection } = setUp()
    await publish(connection, 1, 2, 3, 4)
    let running = 0
    let most = 0
    const all = deferred()
    await consumeUntil(
      4,
      connection,
      async () => {
        most = Math.max(most, ++running)
        if (running === 2) all.resolve()
        await all.promise
        running--
      },
      { concurrency: 2 },
    )
    expect(most).toBe(2)
    await expect(consume({ connection, queues: [q], handler: () => {}, concurrency: 0 })).rejects.toThrow(RangeError)
  })

  test('waits for the running handlers when it ends, and tells them', async () => {
    const { connection } = setUp()
    await publish(connection, 1)
    const end = new AbortController()
    const begun = deferred()
    const finish = deferred()
    let told = false
    const ended = consume({
      connection,
      queues: [q],
      signal: end.signal,
      async handler(_message, { signal }) {
        signal.addEventListener('abort', () => {
          told = true
        })
        begun.resolve()
        await finish.promise
      },
    })
    await begun.promise
    end.abort()
    expect(told).toBe(true)
    finish.resolve()
    await ended
    expect(await q.info(connection)).toMatchObject({ ready: 0, held: 0 })
  })

  test('F-13 ends also while the broker is away, within 5 s of its last handler', async () => {
    const clock = new ManualClock()
    const { transport, connection } = setUp()
    await publish(connection, 1)
    const end = new AbortController()
    let ended = false
    const consuming = consume({
      connection,
      clock,
      queues: [q],
      signal: end.signal,
      onError: () => {},
      async handler() {
        transport.reach('', false)
        await transport.cut()
      },
    }).then(() => {
      ended = true
    })
    // For the first message, by the consumer, and to acknowledge.
    await transport.called('open', 2)
    await clock.whenPending(2)
    end.abort()
    for (let ms = 0; ms < 60_000 && !ended; ms += 100) await clock.advanceAsync(100)
    expect(ended).toBe(true)
    await consuming
  })

  test('ends with its connection, where the owner closes that', async () => {
    const { connection } = setUp()
    await publish(connection, 1)
    const handled = deferred()
    const consuming = consume({ connection, queues: [q], onError: () => {}, handler: () => handled.resolve() })
    await handled.promise
    await connection.close()
    await consuming
  })

  test('ends at once where it was ended before', async () => {
    const { transport, connection } = setUp()
    await consume({ connection, queues: [q], handler: () => {}, signal: AbortSignal.abort() })
    expect(transport.sizes('fetch')).toEqual([])
  })

  test('survives its connection', async () => {
    const { transport, connection } = setUp()
    const errors: unknown[] = []
    const consuming = consumeUntil(2, connection, () => {}, { onError: (error) => errors.push(error) })
    await publish(connection, 1)
    await transport.called('settle')
    await transport.cut()
    await publish(connection, 2)
    expect(await consuming).toEqual([1, 2])
    expect(errors.length).toBeGreaterThan(0)
    expect(errors[0]).toBeInstanceOf(ConnectionLostError)
  })

  test('rejects where its queues can never be consumed', async () => {
    const { transport, connection } = setUp()
    const wrong = new Error('access refused')
    transport.inject('declareQueue', { type: 'refuse', error: wrong })
    const errors: unknown[] = []
    const consuming = consume({ connection, queues: [q], handler: () => {}, onError: (error) => errors.push(error) })
    await expect(consuming).rejects.toBe(wrong)
    expect(errors).toEqual([wrong])
  })
})
