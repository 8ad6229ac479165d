import { ManualClock } from '@celery/promises'
import {
  type BrokerConnection,
  deadLetterQueue,
  type Publication,
  parseBrokerUrl,
  type Transport,
} from '@celery/transport'
import { describe, expect, test } from 'vitest'
import type { MemoryStatement } from './memory-statement.ts'
import { memory, memoryTransport } from './memory-transport.ts'

const text = { contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }

function publication(body: string, queue = 'q'): Publication {
  return { exchange: '', routingKey: queue, message: { ...text, body } }
}

function open(transport: Transport, url: string): Promise<BrokerConnection> {
  return transport.open(parseBrokerUrl(url))
}

function fetch(connection: BrokerConnection, queue = 'q', max = 1) {
  return connection.fetch([queue], { max, signal: AbortSignal.timeout(5_000) })
}

async function ready(connection: BrokerConnection, queue = 'q'): Promise<number> {
  return (await connection.declareQueue({ name: queue })).ready
}

describe('the memory transport', () => {
  test('shares a broker between connections to the same URL, and only those', async () => {
    const transport = memoryTransport()
    await (await open(transport, 'memory://a')).publish([publication('1')])
    expect(await ready(await open(transport, 'memory://a'))).toBe(1)
    expect(await ready(await open(transport, 'memory://b'))).toBe(0)
    expect(await ready(await open(transport, 'memory://a/sub'))).toBe(0)
    expect(await ready(await open(transport, 'memory://'))).toBe(0)
  })

  test('says of an exchange that another app of the process has left how to keep clear of it', async () => {
    const transport = memoryTransport()
    await (await open(transport, 'memory://')).declareExchange({ name: 'mail', type: 'topic' })
    const later = await open(transport, 'memory://')
    await expect(later.declareExchange({ name: 'mail', type: 'direct' })).rejects.toMatchObject({
      code: 'ERR_CELERY_EXCHANGE_MISMATCH',
      message:
        'exchange "mail" is of type topic and cannot be declared as direct: the broker has it from before; rename one of the two, delete the old one, or use a broker of your own, memory://mail-app for example: all of this process share one by its URL',
    })
    const own = await open(transport, 'memory://mail-app')
    await own.declareExchange({ name: 'mail', type: 'direct' })
  })

  test('shares nothing between transports', async () => {
    await (await open(memoryTransport(), 'memory://a')).publish([publication('1')])
    expect(await ready(await open(memoryTransport(), 'memory://a'))).toBe(0)
    expect(await ready(await open(memory, 'memory://a'))).toBe(0)
  })

  test('keeps messages for whoever connects next', async () => {
    const transport = memoryTransport()
    const connection = await open(transport, 'memory://')
    await connection.publish([publication('1')])
    await connection.close()
    expect(await ready(await open(transport, 'memory://'))).toBe(1)
  })

  test('takes its time from a clock, also for who waits already', async () => {
    const clock = new ManualClock()
    const connection = await open(memoryTransport({ clock }), 'memory://')
    await connection.publish([{ ...publication('1'), notBeforeMs: clock.now() + 60_000 }])
    const fetched = fetch(connection)
    await clock.advanceAsync(59_999)
    expect(await connection.declareQueue({ name: 'q' })).toMatchObject({ delayed: 1, held: 0 })
    await clock.advanceAsync(1)
    expect(await fetched).toHaveLength(1)
    await connection.close()
    expect(clock.pending).toBe(0)
  })

  test('names the domain after the broker', async () => {
    const transport = memoryTransport()
    expect((await open(transport, 'memory://tests')).domain).toBe('memory:tests')
    expect((await open(transport, 'memory://')).domain).toBe('memory:')
    expect((await open(transport, 'memory://host/path')).domain).toBe('memory:host/path')
  })

  test('opens nothing when the signal has aborted', async () => {
    const reason = new Error('too late')
    const opening = memory.open(parseBrokerUrl('memory://'), { signal: AbortSignal.abort(reason) })
    await expect(opening).rejects.toBe(reason)
  })

  test('applies writes with a settlement that takes effect, and not with a stale one', async () => {
    const connection = await open(memoryTransport(), 'memory://w')
    await connection.publish([publication('1'), publication('2')])
    const [one, two] = await fetch(connection, 'q', 2)
    if (one === undefined || two === undefined) throw new Error('two messages were published')
    await connection.settle([{ delivery: one }])
    const applied: string[] = []
    const write = (name: string) => {
      const statement: MemoryStatement = { apply: () => applied.push(name) }
      return [{ domain: 'memory:w', statement }]
    }
    const results = await connection.settle([
      { delivery: one, writes: write('stale') },
      { delivery: two, writes: write('good') },
      { writes: write('without a delivery') },
    ])
    expect(results).toEqual(['stale', 'done', 'done'])
    expect(applied).toEqual(['good', 'without a delivery'])
  })

  test('settles nothing of a batch with a write it cannot carry out', async () => {
    const connection = await open(memoryTransport(), 'memory://w')
    await connection.publish([publication('1')])
    const [delivery] = await fetch(connection)
    if (delivery === undefined) throw new Error('a message was published')
    const writes = [{ domain: 'memory:w', statement: { sql: 'select 1' } }]
    await expect(connection.settle([{ delivery }, { writes }])).rejects.toThrow(TypeError)
    expect(await connection.settle([{ delivery }])).toEqual(['done'])
  })

  test('keeps the last 10,000 dead letters, for a week', async () => {
    let nowMs = 0
    const connection = await memoryTransport().open(parseBrokerUrl('memory://'), { now: () => nowMs })
    const count = 10_001
    for (let index = 0; index < count; index++) {
      await connection.publish([publication(String(index))])
      const [delivery] = await fetch(connection)
      if (delivery !== undefined) await connection.settle([{ delivery, action: { type: 'dead', reason: 'bad' } }])
    }
    const dead = deadLetterQueue('q')
    expect(await ready(connection, dead)).toBe(count - 1)
    const [oldest] = await fetch(connection, dead)
    expect(JSON.parse(String(oldest?.payload)).body).toBe('1')
    nowMs = 7 * 24 * 3_600_000 + 1
    expect(await ready(connection, dead)).toBe(0)
  })

  test('leaves no timer behind when nobody waits', async () => {
    const connection = await open(memoryTransport(), 'memory://')
    await connection.publish([{ ...publication('later'), notBeforeMs: Date.now() + 3_600_000 }])
    const before = activeTimers()
    const controller = new AbortController()
    const waiting = connection.fetch(['q'], { max: 1, signal: controller.signal })
    expect(activeTimers()).toBe(before + 1)
    controller.abort()
    await expect(waiting).rejects.toThrow()
    expect(activeTimers()).toBe(before)
  })
})

function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}
