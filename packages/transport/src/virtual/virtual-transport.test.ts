import { describe, expect, test } from 'vitest'
import type { BrokerConnection, Publication, TransportCapabilities } from '../broker-connection.ts'
import { parseBrokerUrl } from '../parse-broker-url.ts'
import type { QueueMessage, VirtualBroker, VirtualSettlement } from './virtual-broker.ts'
import { virtualTransport } from './virtual-transport.ts'

const simplest: TransportCapabilities = {
  shared: false,
  durable: false,
  fanout: false,
  priorities: 1,
  priorityOrder: 'highest-first',
  delay: false,
  leases: false,
  transactions: false,
}

/** A store that notes what it is asked for: what a transport hands down is all that is left to see of its work here. */
class NotingBroker implements VirtualBroker {
  readonly capabilities = simplest
  readonly domain = undefined
  readonly closed: Promise<void> = new Promise(() => {})
  readonly leaseKeeper = undefined
  readonly messages: QueueMessage[] = []
  readonly settlements: VirtualSettlement[] = []
  exchangesRead = 0

  async declareExchange(): Promise<void> {}
  async deleteExchange(): Promise<void> {}
  async exchange(name: string) {
    this.exchangesRead++
    return name === 'direct' ? ({ name, type: 'direct' } as const) : undefined
  }
  async declareQueue() {
    return { name: '', ready: 0, delayed: 0, held: 0 }
  }
  async deleteQueue(): Promise<number> {
    return 0
  }
  async bind(): Promise<void> {}
  async unbind(): Promise<void> {}
  async bindings(exchange: string) {
    return ['one', 'two'].map((queue) => ({ queue, exchange, routingKey: 'key' }))
  }
  async purge(): Promise<number> {
    return 0
  }
  async put(messages: readonly QueueMessage[]): Promise<void> {
    this.messages.push(...messages)
  }
  async fetch() {
    return []
  }
  async settle(settlements: readonly VirtualSettlement[]) {
    this.settlements.push(...settlements)
    return settlements.map(() => 'done' as const)
  }
  async renew() {
    return []
  }
  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

async function open(): Promise<{ readonly broker: NotingBroker; readonly connection: BrokerConnection }> {
  const broker = new NotingBroker()
  const transport = virtualTransport({ name: 'noting', capabilities: simplest, open: async () => broker })
  return { broker, connection: await transport.open(parseBrokerUrl('noting://')) }
}

function publication(
  more: Partial<Publication> = {},
  properties: Publication['message']['properties'] = {},
): Publication {
  const message = { body: '[]', contentType: 'application/json', contentEncoding: 'utf-8', headers: {}, properties }
  return { exchange: '', routingKey: 'queue', message, ...more }
}

describe('virtualTransport', () => {
  test('writes the address and the tag into the envelope', async () => {
    const { broker, connection } = await open()
    await connection.publish([publication()])
    const [message] = broker.messages
    const { properties, ...envelope } = JSON.parse(message?.payload ?? '')
    expect(envelope).toEqual({
      body: '[]',
      'content-type': 'application/json',
      'content-encoding': 'utf-8',
      headers: {},
    })
    expect(properties).toMatchObject({
      delivery_info: { exchange: '', routing_key: 'queue' },
      delivery_tag: message?.tag,
    })
  })

  test('reads no exchange to publish to a queue by name', async () => {
    const { broker, connection } = await open()
    await connection.publish([publication(), publication()])
    await connection.settle([{ publish: [publication()] }])
    expect(broker.exchangesRead).toBe(0)
  })

  test('reads an exchange once for all messages of a call, and again for the next', async () => {
    const { broker, connection } = await open()
    const message = publication({ exchange: 'direct', routingKey: 'key' })
    await connection.publish([message, message, message])
    expect(broker.exchangesRead).toBe(1)
    await connection.publish([message])
    expect(broker.exchangesRead).toBe(2)
  })

  test('gives the copies of a repeated publication the same tags as before', async () => {
    const { broker, connection } = await open()
    const message = publication({ exchange: 'direct', routingKey: 'key', tag: 'mine' })
    await connection.publish([message])
    await connection.publish([message])
    expect(broker.messages.map(({ queue, tag }) => [queue, tag])).toEqual([
      ['one', 'mine:one'],
      ['two', 'mine:two'],
      ['one', 'mine:one'],
      ['two', 'mine:two'],
    ])
  })

  test.each([
    [undefined, 0],
    [0, 0],
    [3.7, 3],
    [9, 9],
    [255, 9],
    [-4, 0],
    [Number.NaN, 0],
  ])('takes priority %s for %s', async (given, expected) => {
    const { broker, connection } = await open()
    await connection.publish([publication({}, given === undefined ? {} : { priority: given })])
    expect(broker.messages[0]?.priority).toBe(expected)
  })

  test('takes a priority that is no number for 0', async () => {
    const { broker, connection } = await open()
    await connection.publish([publication({}, { priority: '9' as unknown as number })])
    expect(broker.messages[0]?.priority).toBe(0)
  })

  test('hands a settlement without follow-ups down as it is', async () => {
    const { broker, connection } = await open()
    const settlement = { delivery: { queue: 'q', tag: 't', fence: 1 } }
    await connection.settle([settlement])
    expect(broker.settlements[0]).toBe(settlement)
  })

  test('refuses what the store cannot do, before anything happens', async () => {
    const { broker, connection } = await open()
    const unsupported = { code: 'ERR_CELERY_UNSUPPORTED_BY_TRANSPORT', transport: 'noting' }
    await expect(connection.publish([publication(), publication({ notBeforeMs: 1 })])).rejects.toMatchObject(
      unsupported,
    )
    await expect(connection.declareExchange({ name: 'f', type: 'fanout' })).rejects.toMatchObject(unsupported)
    await expect(connection.declareExchange({ name: 'h', type: 'headers' })).rejects.toMatchObject(unsupported)
    await expect(connection.bindQueue({ queue: 'q', exchange: '', routingKey: 'q' })).rejects.toMatchObject(unsupported)
    const writes = [{ domain: 'elsewhere', statement: null }]
    await expect(connection.settle([{}, { writes }])).rejects.toMatchObject({
      code: 'ERR_CELERY_FOREIGN_WRITE',
      transport: 'noting',
      domain: 'elsewhere',
      index: 1,
    })
    expect([broker.messages, broker.settlements]).toEqual([[], []])
  })

  test('takes a declaration of the default exchange as long as it says direct', async () => {
    const { connection } = await open()
    await connection.declareExchange({ name: '', type: 'direct' })
    await expect(connection.declareExchange({ name: '', type: 'topic' })).rejects.toMatchObject({
      code: 'ERR_CELERY_EXCHANGE_MISMATCH',
    })
  })
})
