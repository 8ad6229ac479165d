import { ManualClock } from '@celery/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Queue, SimpleBuffer, SimpleQueue } from '../src/index.ts'
import { brokers } from './brokers.ts'
import { setUp } from './set-up.ts'

describe.each(brokers)('a simple queue on $name', ({ open }) => {
  test('gives what was put, in order', async () => {
    await using queue = new SimpleQueue({ connection: open().connect(), queue: 'letters' })
    for (const letter of ['a', 'b', { c: 3 }]) await queue.put(letter)
    expect(await queue.size()).toBe(3)
    for (const letter of ['a', 'b', { c: 3 }]) {
      const message = await queue.get()
      expect(message.payload).toEqual(letter)
      expect(await message.ack()).toBe(true)
    }
    expect(await queue.getNoWait()).toBeUndefined()
  })

  test('waits for a message', async () => {
    const broker = open()
    await using reader = new SimpleQueue({ connection: broker.connect(), queue: 'letters' })
    await using writer = new SimpleQueue({ connection: broker.connect(), queue: 'letters' })
    const waiting = reader.get()
    await writer.put('a')
    expect((await waiting).payload).toBe('a')
  })

  test('counts and clears', async () => {
    await using queue = new SimpleQueue({ connection: open().connect(), queue: new Queue('plain') })
    await queue.put(1)
    await queue.put(2)
    expect(await queue.clear()).toBe(2)
    expect(await queue.size()).toBe(0)
  })

  test('gives a message back that is not settled when it is closed', async () => {
    const connection = open().connect()
    const queue = new SimpleQueue({ connection, queue: 'letters' })
    await queue.put('a')
    await queue.getNoWait()
    expect(await queue.size()).toBe(0)
    await queue.close()
    await queue.close()
    expect(await queue.size()).toBe(1)
  })

  test('a buffer needs no acknowledgement and is gone with its connection', async () => {
    const broker = open()
    const [connection, other] = [broker.connect(), broker.connect()]
    const buffer = new SimpleBuffer({ connection, queue: 'brief' })
    await buffer.put(1)
    await buffer.put(2)
    const message = await buffer.get()
    expect([message.payload, message.isSettled]).toEqual([1, true])
    await buffer.close()
    await connection.close()
    await using again = new SimpleBuffer({ connection: other, queue: 'brief' })
    expect(await again.size()).toBe(0)
  })
})

describe('getting', () => {
  test('gives up after its timeout', async () => {
    const clock = new ManualClock()
    const { transport, connection } = setUp()
    await using queue = new SimpleQueue({ connection, queue: 'letters', clock })
    const waiting = queue.get({ timeout: 2 })
    await transport.called('fetch')
    await clock.advanceAsync(1_999)
    expect(clock.pending).toBe(1)
    await clock.advanceAsync(1)
    expect(await waiting).toBeUndefined()
  })

  test('ends with the reason of its signal', async () => {
    const { transport, connection } = setUp()
    await using queue = new SimpleQueue({ connection, queue: 'letters' })
    const abort = new AbortController()
    const waiting = queue.get({ signal: abort.signal })
    await transport.called('fetch')
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })

  test('survives a lost connection', async () => {
    const { transport, connection } = setUp()
    await using queue = new SimpleQueue({ connection, queue: 'letters' })
    const waiting = queue.get()
    await transport.called('fetch')
    await transport.cut()
    await queue.put('a')
    expect((await waiting).payload).toBe('a')
  })

  test('what was got cannot be acknowledged once its connection is closed', async () => {
    const { connection } = setUp()
    await using queue = new SimpleQueue({ connection, queue: 'letters', onError: () => {} })
    await queue.put('a')
    const message = await queue.get()
    await connection.close()
    expect(await message.ack()).toBe(false)
  })

  test('hands out what cannot be decoded too; its payload says why', async () => {
    const { connection } = setUp()
    const queue = new SimpleQueue({ connection, queue: 'letters', accept: ['json'] })
    onTestFinished(() => queue.close())
    await queue.put('text')
    const message = await queue.get()
    expect(() => message.payload).toThrow('is not accepted here')
    expect(await message.reject()).toBe(true)
    expect((await new Queue('letters.dead').info(connection)).ready).toBe(1)
  })
})
