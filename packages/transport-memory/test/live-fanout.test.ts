import { type AbortableOptions, deferred, systemClock } from '@celery/promises'
import { type Binding, type BrokerConnection, type Delivery, parseBrokerUrl, type Transport } from '@celery/transport'
import { describeTransport } from '@celery/transport/testkit'
import {
  type LiveFanout,
  type LiveMessage,
  type OnLiveMessage,
  type VirtualFetchOptions,
  virtualTransport,
} from '@celery/transport/virtual'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { MemoryBroker, type MemoryBrokerOptions, memoryCapabilities } from '../src/memory-broker.ts'
import { MemoryStore } from '../src/memory-store.ts'

const capabilities = { ...memoryCapabilities, liveFanout: true }

/** Carries live messages within the process: the simplest that does what it says. */
class Air {
  readonly listeners = new Set<Ear>()
  /** Nothing can be published. */
  isJammed = false
  /** Happens while a queue begins to listen. */
  whileListening: () => Promise<void> = async () => {}
  /** Happens while a fetch is on its way to the store. */
  whileLooking: () => Promise<void> = async () => {}

  open(onMessage: OnLiveMessage): LiveFanout {
    return new Ear(this, onMessage)
  }
}

class Ear implements LiveFanout {
  readonly closed: Promise<void>
  #fail!: (error: unknown) => void
  readonly #air: Air
  readonly #onMessage: OnLiveMessage
  readonly #bindings = new Map<string, Binding>()

  constructor(air: Air, onMessage: OnLiveMessage) {
    this.#air = air
    this.#onMessage = onMessage
    this.closed = new Promise((_, reject) => {
      this.#fail = reject
    })
    air.listeners.add(this)
  }

  get bindings(): number {
    return this.#bindings.size
  }

  async publish(messages: readonly LiveMessage[]): Promise<void> {
    if (this.#air.isJammed) throw new Error('the air is jammed')
    for (const message of messages) for (const listener of this.#air.listeners) listener.hear(message)
  }

  async listen(binding: Binding, { signal }: AbortableOptions = {}): Promise<void> {
    await this.#air.whileListening()
    signal?.throwIfAborted()
    this.#bindings.set(JSON.stringify(binding), binding)
  }

  async unlisten(binding: Binding): Promise<void> {
    this.#bindings.delete(JSON.stringify(binding))
  }

  async close(): Promise<void> {
    this.#air.listeners.delete(this)
  }

  fail(error: unknown): void {
    this.#air.listeners.delete(this)
    this.#fail(error)
  }

  hear({ exchange, payload, routingKey }: LiveMessage): void {
    const queues = new Set<string>()
    for (const binding of this.#bindings.values()) {
      if (binding.exchange === exchange && matches(binding.routingKey, routingKey)) queues.add(binding.queue)
    }
    for (const queue of queues) this.#onMessage(queue, payload)
  }
}

function matches(key: string, routingKey: string): boolean {
  const escaped = key.split('#').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${escaped.join('.*')}$`, 's').test(routingKey)
}

class LiveBroker extends MemoryBroker {
  override readonly capabilities = capabilities
  readonly #air: Air

  constructor(store: MemoryStore, options: MemoryBrokerOptions, air: Air) {
    super(store, options)
    this.#air = air
  }

  override async fetch(queues: readonly string[], options: VirtualFetchOptions): Promise<readonly Delivery[]> {
    await this.#air.whileLooking()
    options.signal.throwIfAborted()
    return await super.fetch(queues, options)
  }

  liveFanout(onMessage: OnLiveMessage): LiveFanout {
    return this.#air.open(onMessage)
  }
}

function liveTransport(air: Air = new Air()): Transport {
  const store = new MemoryStore()
  return virtualTransport({
    name: 'live',
    capabilities,
    async open(address, { leaseMs = 30_000, now = Date.now }) {
      const options = { address: address.toString(), domain: 'memory:live', leaseMs, now, clock: systemClock }
      return new LiveBroker(store, options, air)
    },
  })
}

describeTransport(
  'memory with live fanout',
  async () => {
    const transport = liveTransport()
    let aheadMs = 0
    return {
      capabilities,
      connect: ({ leaseMs }) =>
        transport.open(parseBrokerUrl('live://kit'), { leaseMs, now: () => Date.now() + aheadMs }),
      advance(ms) {
        aheadMs += ms
      },
      async [Symbol.asyncDispose]() {},
    }
  },
  { describe, test },
)

describe('a connection with live fanout', () => {
  /** A connection with a queue that listens to exchange `x`. */
  async function setUp() {
    const air = new Air()
    const connection = await liveTransport(air).open(parseBrokerUrl('live://'))
    onTestFinished(() => connection.close())
    await connection.declareExchange({ name: 'x', type: 'fanout' })
    await connection.declareQueue({ name: 'q' })
    await connection.bindQueue({ queue: 'q', exchange: 'x', routingKey: '' })
    const [ear] = air.listeners
    return { connection, ear: ear as Ear, air }
  }

  async function shout(connection: BrokerConnection, ...bodies: readonly string[]): Promise<void> {
    await connection.publish(
      bodies.map((body) => ({
        exchange: 'x',
        routingKey: '',
        message: { body, contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} },
      })),
    )
  }

  const fetch = (connection: BrokerConnection, max = 1) =>
    connection.fetch(['q'], { max, signal: AbortSignal.timeout(60_000) })

  test('has failed when nothing is heard any more: fetches reject, and so does `closed`', async () => {
    const { connection, ear } = await setUp()
    const waiting = fetch(connection)
    const lost = new Error('the subscriber is gone')
    const outcomes = Promise.allSettled([waiting, connection.closed])
    ear.fail(lost)
    expect(await outcomes).toEqual([
      { status: 'rejected', reason: lost },
      { status: 'rejected', reason: lost },
    ])
    await expect(fetch(connection)).rejects.toBe(lost)
  })

  test('drops the oldest beyond 10,000 that nobody fetches, and says so once a minute', async () => {
    const { connection } = await setUp()
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    await shout(connection, 'first')
    await connection.settle((await fetch(connection)).map((delivery) => ({ delivery })))
    await shout(connection, ...Array.from({ length: 10_003 }, (_, index) => String(index)))
    expect((await connection.declareQueue({ name: 'q' })).ready).toBe(10_000)
    const [oldest] = await fetch(connection)
    expect(String(oldest?.payload)).toContain('"body":"3"')
    expect(warn.mock.calls.map(([text]) => text)).toEqual([expect.stringContaining('queue "q" hears more')])
    const now = performance.now()
    vi.spyOn(performance, 'now').mockImplementation(() => now + 60_000)
    onTestFinished(() => void vi.mocked(performance.now).mockRestore())
    await shout(connection, 'one', 'two', 'three')
    expect(warn.mock.calls.map(([text]) => text)).toEqual([
      expect.stringContaining('dropped, 1 so far'),
      expect.stringContaining('dropped, 4 so far'),
    ])
  })

  test('hears nothing for a queue that nobody ever fetches from once it is full, and again when somebody does', async () => {
    const { connection, ear } = await setUp()
    await shout(connection, ...Array.from({ length: 10_001 }, (_, index) => String(index)))
    expect(ear.bindings).toBe(0)
    expect((await connection.declareQueue({ name: 'q' })).ready).toBe(0)
    const waiting = fetch(connection)
    await vi.waitFor(() => expect(ear.bindings).toBe(1), { timeout: 30_000 })
    await shout(connection, 'now')
    expect(await waiting).toHaveLength(1)
  })

  test.each(['before', 'while'])(
    'hears again for others too where the first to fetch gives up %s it listens',
    async (when) => {
      const { connection, ear, air } = await setUp()
      await shout(connection, ...Array.from({ length: 10_001 }, (_, index) => String(index)))
      expect(ear.bindings).toBe(0)
      const [listening, begun] = [deferred(), deferred()]
      air.whileListening = () => {
        begun.resolve()
        return listening.promise
      }
      const controller = new AbortController()
      if (when === 'before') controller.abort(new Error('given up'))
      const givenUp = expect(connection.fetch(['q'], { max: 1, signal: controller.signal })).rejects.toThrow('given up')
      await begun.promise
      const waiting = fetch(connection)
      controller.abort(new Error('given up'))
      listening.resolve()
      await givenUp
      await vi.waitFor(() => expect(ear.bindings).toBe(1), { timeout: 30_000 })
      await shout(connection, 'now')
      expect(await waiting).toHaveLength(1)
    },
  )

  test('fails where it cannot listen again, and tries that anew', async () => {
    const { connection, ear, air } = await setUp()
    await shout(connection, ...Array.from({ length: 10_001 }, (_, index) => String(index)))
    air.whileListening = () => Promise.reject(new Error('the air is jammed'))
    await expect(fetch(connection)).rejects.toThrow('the air is jammed')
    air.whileListening = async () => {}
    const waiting = fetch(connection)
    await vi.waitFor(() => expect(ear.bindings).toBe(1), { timeout: 30_000 })
    await shout(connection, 'now')
    expect(await waiting).toHaveLength(1)
  })

  test('delivers what is stored however fast live messages come: they end no look at the store', async () => {
    const { connection, air } = await setUp()
    const message = { body: 'stored', contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
    await connection.publish([{ exchange: '', routingKey: 'tasks', message }])
    air.whileLooking = () => shout(connection, 'live')
    await shout(connection, 'live')
    const queues: string[] = []
    for (let round = 0; round < 4; round++) {
      const deliveries = await connection.fetch(['q', 'tasks'], { max: 10, signal: AbortSignal.timeout(60_000) })
      queues.push(...new Set(deliveries.map(({ queue }) => queue)))
    }
    expect(queues).toEqual(['q', 'tasks', 'q', 'q'])
  })

  test('stores nothing of a call whose live messages could not be published', async () => {
    const { connection, air } = await setUp()
    const message = { body: 'a', contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
    const batch = ['', 'x'].map((exchange) => ({ exchange, routingKey: 'stored', message }))
    air.isJammed = true
    await expect(connection.publish(batch)).rejects.toThrow('the air is jammed')
    expect((await connection.declareQueue({ name: 'stored' })).ready).toBe(0)
    air.isJammed = false
    await connection.publish(batch)
    expect((await connection.declareQueue({ name: 'stored' })).ready).toBe(1)
  })

  test('listens no more when it is closed', async () => {
    const { connection, air } = await setUp()
    await connection.close()
    expect(air.listeners.size).toBe(0)
  })
})
