import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WireMessage } from '@celery/protocol'
import type {
  BrokerConnection,
  Delivery,
  DeliveryRef,
  Publication,
  QueueInfo,
  SettleAction,
  TransportCapabilities,
} from '../broker-connection.ts'
import { delaysPublications } from '../broker-connection.ts'
import type { BrokerUnderTest } from './broker-under-test.ts'
import { readBody } from './read-body.ts'

/** What a case works with. Every wait in it has a deadline, so that a driver that hangs fails instead. */
export class CaseContext {
  readonly capabilities: TransportCapabilities
  /** A queue that no other case uses. */
  readonly queue: string
  /** The lease of a case about leases: long enough to be held by a slow machine, or to be passed by the clock. */
  readonly leaseMs: number
  /** The longest that something expected may take. */
  readonly deadlineMs: number
  readonly #broker: BrokerUnderTest
  readonly #suffix = randomUUID().slice(0, 8)
  readonly #connections = new Set<BrokerConnection>()
  /** How far `elapse` has moved the broker's clock. */
  #aheadMs = 0

  constructor(broker: BrokerUnderTest, deadlineMs: number) {
    this.#broker = broker
    this.capabilities = broker.capabilities
    this.queue = this.name('queue')
    this.leaseMs = broker.advance === undefined ? 3_000 : 60_000
    this.deadlineMs = deadlineMs
  }

  /** A name that no other case uses. */
  name(label: string): string {
    return `${label}-${this.#suffix}`
  }

  /** Opens a connection, which is closed after the case. The lease is a minute unless the case is about leases. */
  async open(options: { readonly leaseMs?: number; readonly session?: string } = {}): Promise<BrokerConnection> {
    const { leaseMs = 60_000, session } = options
    const connection = await this.#broker.connect(session === undefined ? { leaseMs } : { leaseMs, session })
    this.#connections.add(connection)
    return connection
  }

  /** The owner of `connection` dies. */
  async crash(connection: BrokerConnection): Promise<void> {
    await this.#broker.crash?.(connection)
  }

  /** The wire of `connection` breaks, and its owner lives on. */
  async cut(connection: BrokerConnection): Promise<void> {
    if (this.#broker.cut === undefined) await connection.close({ sessionGoesOn: true })
    else await this.#broker.cut(connection)
  }

  /** Whether `elapse` moves a clock instead of waiting. */
  get hasClock(): boolean {
    return this.#broker.advance !== undefined
  }

  /** Lets time pass for the broker. */
  async elapse(ms: number): Promise<void> {
    if (this.#broker.advance === undefined) {
      await sleep(ms)
    } else {
      await this.#broker.advance(ms)
      this.#aheadMs += ms
    }
  }

  /** Milliseconds since 1970 on the broker's clock. */
  now(): number {
    return Date.now() + this.#aheadMs
  }

  /** Publishes text messages to a queue in one call. */
  async publish(connection: BrokerConnection, queue: string, ...bodies: readonly string[]): Promise<void> {
    await connection.publish(bodies.map((body) => publication(queue, body)))
  }

  /**
   * Puts a message into an otherwise empty queue that is held back until a time on the broker's clock: published so, or
   * fetched and parked where that is the only way.
   */
  async delay(connection: BrokerConnection, queue: string, body: string, untilMs: number): Promise<void> {
    await connection.publish([publication(queue, body, { notBeforeMs: untilMs })])
    if (delaysPublications(this.capabilities)) return
    await this.settle(connection, [await this.takeOne(connection, queue)], { type: 'park', untilMs })
  }

  /** Fetches until there are `count` messages. */
  take(connection: BrokerConnection, queues: string | readonly string[], count = 1): Promise<readonly Delivery[]> {
    const taking = this.#take(connection, typeof queues === 'string' ? [queues] : queues, count)
    // A case that has failed elsewhere awaits this no more, and one failure is enough.
    taking.catch(() => {})
    return taking
  }

  async #take(connection: BrokerConnection, names: readonly string[], count: number): Promise<readonly Delivery[]> {
    const deliveries: Delivery[] = []
    while (deliveries.length < count) {
      const max = count - deliveries.length
      const got = await this.fetch(connection, names, max).catch((error: unknown) => {
        throw new Error(`expected ${count} messages but got ${deliveries.length}`, { cause: error })
      })
      assert.ok(got.length > 0, 'a fetch resolved to no message')
      assert.ok(got.length <= max, `a fetch of at most ${max} resolved to ${got.length}`)
      deliveries.push(...got)
    }
    return deliveries
  }

  /** Fetches one message. */
  takeOne(connection: BrokerConnection, queue: string): Promise<Delivery> {
    const taking = this.take(connection, queue, 1).then(([delivery]) => {
      assert.ok(delivery !== undefined)
      return delivery
    })
    taking.catch(() => {})
    return taking
  }

  /** One fetch, which must resolve before the deadline. */
  async fetch(connection: BrokerConnection, queues: readonly string[], max: number): Promise<readonly Delivery[]> {
    const controller = new AbortController()
    const late = new Error(`nothing came from ${queues.join(', ')} within ${this.deadlineMs} ms`)
    const timer = setTimeout(() => controller.abort(late), this.deadlineMs)
    try {
      return await connection.fetch(queues, { max, signal: controller.signal })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Asserts that a queue has nothing to deliver for a moment. A slow machine cannot make it fail. */
  async expectNothing(connection: BrokerConnection, queue: string): Promise<void> {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(enough), quietMs)
    try {
      const deliveries = await connection.fetch([queue], { max: 10, signal: controller.signal })
      assert.deepEqual(deliveries.map(readBody), [], 'expected no message')
      assert.fail('a fetch resolved to no message')
    } catch (error) {
      if (error !== enough) throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Settles and asserts that it took effect. */
  async settle(
    connection: BrokerConnection,
    deliveries: readonly DeliveryRef[],
    action: SettleAction = { type: 'ack' },
  ): Promise<void> {
    const results = await connection.settle(deliveries.map((delivery) => ({ delivery, action })))
    assert.deepEqual(
      results,
      deliveries.map(() => 'done'),
    )
  }

  /** Asserts that exactly these messages are ready in a queue, in this order, and ends them. */
  async expectMessages(connection: BrokerConnection, queue: string, bodies: readonly string[]): Promise<void> {
    const deliveries = bodies.length === 0 ? [] : await this.take(connection, queue, bodies.length)
    assert.deepEqual(deliveries.map(readBody), bodies)
    await this.settle(connection, deliveries)
    await this.expectNothing(connection, queue)
  }

  async info(connection: BrokerConnection, queue: string): Promise<Omit<QueueInfo, 'name'>> {
    const { ready, delayed, held } = await connection.declareQueue({ name: queue })
    return { ready, delayed, held }
  }

  /** A named exchange of its own for the case. */
  async exchange(connection: BrokerConnection, type: 'direct' | 'topic' | 'fanout'): Promise<string> {
    const name = this.name(type)
    await connection.declareExchange({ name, type })
    return name
  }

  /** Asserts that `promise` settles before the deadline. */
  async soon<T>(promise: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what} took more than ${this.deadlineMs} ms`)), this.deadlineMs)
    })
    try {
      return await Promise.race([promise, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Closes every connection, as if the programs that use the broker had ended. */
  async closeAll(): Promise<void> {
    const connections = [...this.#connections]
    this.#connections.clear()
    await this.soon(Promise.all(connections.map((connection) => connection.close())), 'closing every connection')
  }
}

/** How long nothing must come for "nothing comes" to be believed. */
const quietMs = 30
const enough = new Error('nothing came, as expected')

/** A publication of text to a queue. */
export function publication(queue: string, body: string, more: Partial<Publication> = {}): Publication {
  return { exchange: '', routingKey: queue, message: textMessage(body), ...more }
}

export function textMessage(body: string, properties: WireMessage['properties'] = {}): WireMessage {
  return { body, contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties }
}
