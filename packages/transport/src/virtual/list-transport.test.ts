/** What the kit cannot see of the base: several processes over one store, stores that fail, and what stores are told. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  type BrokerConnection,
  type Delivery,
  deadLetterQueue,
  type Publication,
  type SettleAction,
} from '../broker-connection.ts'
import { parseBrokerUrl } from '../parse-broker-url.ts'
import { ConnectionLostError } from '../transport-errors.ts'
import type { ListItem, ListStore } from './list-store.ts'
import { type ListTransportDefinition, listTransport } from './list-transport.ts'

/** Lists in memory; `log` has what else the base has told it. */
class MapStore implements ListStore {
  readonly lists = new Map<string, ListItem[]>()
  readonly log: string[] = []
  failure: Error | undefined
  readonly #facts = new Set<string>()

  async put(list: string, item: ListItem): Promise<void> {
    this.check()
    const items = this.items(list).filter(({ place }) => place !== item.place)
    this.lists.set(
      list,
      [...items, item].sort((one, other) => (one.place < other.place ? -1 : 1)),
    )
  }
  async take(list: string): Promise<ListItem | undefined> {
    this.check()
    return this.items(list).shift()
  }
  async size(list: string): Promise<number> {
    return this.items(list).length
  }
  async clear(list: string): Promise<number> {
    return this.items(list).splice(0).length
  }
  async facts(): Promise<readonly string[]> {
    return [...this.#facts]
  }
  async remember(fact: string): Promise<void> {
    this.#facts.add(fact)
  }
  async forget(fact: string): Promise<void> {
    this.#facts.delete(fact)
  }
  async settled(list: string): Promise<void> {
    this.log.push(`settled ${list}`)
  }
  async close(): Promise<void> {
    this.log.push('closed')
  }
  items(list: string): ListItem[] {
    return this.lists.get(list) ?? []
  }
  check(): void {
    if (this.failure !== undefined) throw this.failure
  }
}

/** A connection of a process of its own to `store`: nothing but the store is shared. */
function open(store: ListStore, more: Partial<ListTransportDefinition> = {}, now?: () => number) {
  const transport = listTransport({ name: 'map', shared: true, pollMs: 5, open: async () => store, ...more })
  return transport.open(parseBrokerUrl('map://'), now === undefined ? {} : { now })
}

function publication(routingKey: string, body = 'a', exchange = ''): Publication {
  const message = { body, contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
  return { exchange, routingKey, message }
}

async function fetchOne(connection: BrokerConnection, queue: string): Promise<Delivery> {
  const [delivery] = await connection.fetch([queue], { max: 1, signal: AbortSignal.timeout(10_000) })
  return delivery ?? expect.fail('a fetch resolved to no message')
}

describe('processes that share a store', () => {
  test('route by the bindings of each other', async () => {
    const store = new MapStore()
    const [one, other] = [await open(store), await open(store)]
    await one.declareExchange({ name: 'news', type: 'topic' })
    await one.declareQueue({ name: 'q' })
    await one.bindQueue({ queue: 'q', exchange: 'news', routingKey: 'sport.#' })
    await other.publish([publication('sport.chess', 'a', 'news'), publication('weather', 'b', 'news')])
    expect(store.items('q')).toHaveLength(1)
    await one.deleteQueue('q')
    const lost = { ...publication('sport.chess', 'a', 'news'), mandatory: true }
    await expect(other.publish([lost])).rejects.toMatchObject({ code: 'ERR_CELERY_UNROUTABLE' })
  })

  test('find what the other has put, by asking again', async () => {
    const store = new MapStore()
    const [one, other] = [await open(store), await open(store)]
    const fetching = fetchOne(one, 'q')
    await nextTurn()
    await other.publish([publication('q')])
    expect((await fetching).queue).toBe('q')
  })

  test('find it without asking where the store tells of changes, and stop listening at the end', async () => {
    const listeners = new Set<() => void>()
    const store = Object.assign(new MapStore(), {
      watch(changed: () => void): Disposable {
        listeners.add(changed)
        return { [Symbol.dispose]: () => void listeners.delete(changed) }
      },
    })
    const [one, other] = [await open(store, { pollMs: 1e9 }), await open(store, { pollMs: 1e9 })]
    const fetching = fetchOne(one, 'q')
    await nextTurn()
    await other.publish([publication('q')])
    for (const changed of listeners) changed()
    expect((await fetching).queue).toBe('q')
    await Promise.all([one.close(), other.close()])
    expect(listeners.size).toBe(0)
  })

  test('drop by the time to live that the other has declared', async () => {
    const store = new MapStore()
    let aheadMs = 0
    const now = () => 1_000 + aheadMs
    const [one, other] = [await open(store, {}, now), await open(store, {}, now)]
    await one.declareQueue({ name: 'q', messageTtlMs: 100 })
    await other.publish([publication('q', 'old')])
    aheadMs = 100
    await other.publish([publication('q', 'new')])
    const delivery = await fetchOne(other, 'q')
    expect(delivery.payload).toContain('"body":"new"')
    expect(store.log).toEqual(['settled q'])
  })

  test('do not take each other for idle: who did not make a queue does not end it', async () => {
    const store = new MapStore()
    let aheadMs = 0
    const now = () => 1_000 + aheadMs
    const [one, other] = [await open(store, {}, now), await open(store, {}, now)]
    await one.declareQueue({ name: 'q', expiresMs: 100, autoDelete: true, exclusive: true })
    await other.declareQueue({ name: 'q', expiresMs: 100, autoDelete: true, exclusive: true })
    await one.publish([publication('q')])
    aheadMs = 1_000
    await other.declareQueue({ name: 'another' })
    await other.close()
    expect(store.items('q')).toHaveLength(1)
    await one.declareQueue({ name: 'another' })
    expect(store.items('q')).toHaveLength(0)
  })

  test('lose with a dead one what it held, and nothing else', async () => {
    const store = new MapStore()
    const [dead, other] = [await open(store), await open(store)]
    await dead.publish([publication('q', 'a'), publication('q', 'b')])
    await fetchOne(dead, 'q')
    expect((await other.declareQueue({ name: 'q' })).ready).toBe(1)
  })
})

describe('a store', () => {
  test('hears of the end of what was taken, and not of what comes back', async () => {
    const store = new MapStore()
    const connection = await open(store)
    const actions: Record<string, SettleAction> = {
      acked: { type: 'ack' },
      dead: { type: 'dead', reason: 'bad' },
      returned: { type: 'requeue', counted: true },
    }
    for (const queue of ['acked', 'dead', 'returned', 'deleted']) {
      await connection.publish([publication(queue)])
      const delivery = await fetchOne(connection, queue)
      const action = actions[queue]
      if (action === undefined) await connection.deleteQueue(queue)
      else await connection.settle([{ delivery, action }])
    }
    expect(store.log).toEqual(['settled acked', 'settled dead', 'settled deleted'])
    expect([store.items('returned').length, store.items(deadLetterQueue('dead')).length]).toEqual([1, 1])
  })

  test('is closed by the last of the connections that share it', async () => {
    const store = new MapStore()
    const transport = listTransport({ name: 'map', open: async () => store })
    const address = parseBrokerUrl('map://')
    const [one, other] = [await transport.open(address), await transport.open(address)]
    await one.close()
    expect(store.log).toEqual([])
    await other.close()
    expect(store.log).toEqual(['closed'])
  })

  test('may fail once: a settlement that was rejected can be repeated', async () => {
    const store = new MapStore()
    const connection = await open(store)
    await connection.publish([publication('q')])
    const delivery = await fetchOne(connection, 'q')
    const settlement = { delivery, publish: [publication('next')] }
    store.failure = new Error('busy')
    await expect(connection.settle([settlement])).rejects.toThrow('busy')
    store.failure = undefined
    expect(await connection.settle([settlement])).toEqual(['done'])
    expect([store.items('q').length, store.items('next').length]).toEqual([0, 1])
  })

  test('that is lost ends the connection, also a fetch that waits', async () => {
    const store = new MapStore()
    const connection = await open(store)
    const waiting = expect(fetchOne(connection, 'q')).rejects.toThrow(ConnectionLostError)
    const closed = expect(connection.closed).rejects.toThrow(ConnectionLostError)
    store.failure = new ConnectionLostError('map://')
    await expect(connection.publish([publication('q')])).rejects.toThrow(ConnectionLostError)
    await Promise.all([waiting, closed])
    store.failure = undefined
    await expect(connection.publish([publication('q')])).rejects.toThrow(ConnectionLostError)
    await connection.close()
    expect(store.log).toEqual(['closed'])
  })

  test.each(['no JSON', 'null', '{"tag":1}', '{"tag":"t","payload":"p","sentMs":"1","redeliveries":0}'])(
    'may hold what others wrote: %s',
    async (text) => {
      const store = new MapStore()
      await store.put('q', { place: 'p', text })
      const connection = await open(store)
      await store.remember(text)
      const delivery = await fetchOne(connection, 'q')
      expect(delivery).toMatchObject({ payload: text, tag: 'p', redeliveries: 0 })
    },
  )
})

test('keeps the 10,000 last dead letters', async () => {
  const store = new MapStore()
  const dead = deadLetterQueue('q')
  store.lists.set(
    dead,
    Array.from({ length: 10_000 }, (_, index) => ({ place: `0-${String(index).padStart(5, '0')}`, text: '' })),
  )
  const connection = await open(store)
  await connection.publish([publication('q')])
  const delivery = await fetchOne(connection, 'q')
  await connection.settle([{ delivery, action: { type: 'dead', reason: 'bad' } }])
  expect([store.items(dead).length, store.items(dead)[0]?.place]).toEqual([10_000, '0-00001'])
})
