import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import type { BrokerConnection, Delivery, SettleAction } from '../../broker-connection.ts'
import { deadLetterQueue, delaysPublications } from '../../broker-connection.ts'
import { type CaseContext, publication, textMessage } from '../case-context.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

const sequences = 12
const stepsPerSequence = 40
const leaseMs = 60_000
/** No sum of the times that `#elapse` lets pass comes near this or the lease. */
const delayMs = 100_000

/** Whatever happens to messages, in whatever order: a broker and the simplest picture of one agree. */
export const modelCases: readonly TransportCase[] = [
  {
    name: 'agrees with a simple model of a queue through any sequence of operations',
    needs: ({ leases, delay }) => leases && delay,
    async run(context) {
      const seed = randomInt(2 ** 31)
      const random = randomNumbers(seed)
      for (let sequence = 0; sequence < sequences; sequence++) {
        const comparison = new Comparison(context, context.name(`model ${sequence}`), random)
        try {
          for (let step = 0; step < stepsPerSequence; step++) await comparison.step()
        } catch (error) {
          throw new Error(`seed ${seed}, sequence ${sequence}: ${comparison.history.join(', ')}`, { cause: error })
        }
      }
    },
  },
]

/** A message as the model sees it. */
interface ModelMessage {
  readonly body: string
  readonly priority: number
  readonly place: number
  state: 'ready' | 'delayed' | 'held' | 'done' | 'dead'
  /** When a delayed message becomes ready, or the lease of a held one ends. */
  untilMs: number
  redeliveries: number
  /**
   * It was delayed once, or came back to the front; a broker may line it up by when that was, so nothing is said about its
   * place.
   */
  isOutOfPlace: boolean
  delivery: Delivery | undefined
  connection: BrokerConnection | undefined
}

class Comparison {
  readonly history: string[] = []
  readonly #context: CaseContext
  readonly #queue: string
  readonly #random: (below: number) => number
  readonly #messages: ModelMessage[] = []
  readonly #outdated: Delivery[] = []
  readonly #connections: BrokerConnection[] = []

  constructor(context: CaseContext, queue: string, random: (below: number) => number) {
    this.#context = context
    this.#queue = queue
    this.#random = random
  }

  async step(): Promise<void> {
    while (this.#connections.length < 2) this.#connections.push(await this.#context.open({ leaseMs: leaseMs }))
    const operations = [this.#publish, this.#publish, this.#fetch, this.#fetch, this.#settle, this.#settle, this.#renew]
    const rare = [this.#settleOutdated, this.#close, ...(this.#context.hasClock ? [this.#elapse, this.#elapse] : [])]
    await this.#pick([...operations, ...rare])?.call(this)
    await this.#compareCounts()
  }

  async #publish(): Promise<void> {
    const priority = this.#random(this.#context.capabilities.priorities > 1 ? 4 : 1) * 3
    const isDelayed = delaysPublications(this.#context.capabilities) && this.#random(5) === 0
    const place = this.#messages.length
    const body = String(place)
    this.history.push(`publish ${body} with priority ${priority}${isDelayed ? ' delayed' : ''}`)
    const untilMs = this.#context.now() + delayMs
    const message = textMessage(body, { priority })
    const when = isDelayed ? { notBeforeMs: untilMs } : {}
    await this.#connection().publish([publication(this.#queue, body, { message, ...when })])
    const state = isDelayed ? 'delayed' : 'ready'
    this.#messages.push({
      body,
      priority,
      place,
      state,
      untilMs,
      isOutOfPlace: isDelayed,
      redeliveries: 0,
      delivery: undefined,
      connection: undefined,
    })
  }

  async #fetch(): Promise<void> {
    const ready = this.#in('ready').sort((a, b) => this.#urgency(a) - this.#urgency(b) || a.place - b.place)
    const count = Math.min(ready.length, 1 + this.#random(4))
    if (count === 0) return
    const connection = this.#connection()
    const deliveries = await this.#context.take(connection, this.#queue, count)
    const taken = deliveries.map((delivery) => this.#message(delivery))
    this.history.push(`fetch ${taken.map(({ body }) => body).join(' ')}`)
    assert.deepEqual(
      taken.map(({ state }) => state),
      taken.map(() => 'ready'),
      'what was fetched was not ready',
    )
    assert.deepEqual(taken.map(this.#urgency), ready.slice(0, count).map(this.#urgency), 'a less urgent one came first')
    const inPlace = taken.filter(({ isOutOfPlace }) => !isOutOfPlace)
    const expected = ready.filter(({ isOutOfPlace }) => !isOutOfPlace).slice(0, inPlace.length)
    assert.deepEqual(
      inPlace.map(({ body }) => body),
      expected.map(({ body }) => body),
      'a younger one came first',
    )
    for (const [index, delivery] of deliveries.entries()) {
      const message = taken[index] as ModelMessage
      assert.equal(delivery.redeliveries, message.redeliveries, `redeliveries of ${message.body}`)
      Object.assign(message, { state: 'held', untilMs: this.#context.now() + leaseMs, delivery, connection })
    }
    // A driver whose leases belong to the connection has renewed all that it holds.
    await this.#renewAll(connection)
  }

  async #settle(): Promise<void> {
    const message = this.#pick(this.#in('held'))
    if (message === undefined) return
    const untilMs = this.#context.now() + delayMs
    const action = this.#pick<SettleAction>([
      { type: 'ack' },
      { type: 'requeue', counted: true },
      { type: 'requeue', counted: false },
      { type: 'park', untilMs },
      { type: 'park', untilMs, counted: true },
      { type: 'dead', reason: 'why not' },
    ])
    if (message.delivery === undefined || message.connection === undefined || action === undefined) return
    this.history.push(`${action.type} ${message.body}`)
    await this.#context.settle(message.connection, [message.delivery], action)
    if ((action.type === 'requeue' || action.type === 'park') && action.counted === true) message.redeliveries++
    if (action.type === 'park') Object.assign(message, { untilMs, isOutOfPlace: true })
    this.#letGo(message, ({ ack: 'done', requeue: 'ready', park: 'delayed', dead: 'dead' } as const)[action.type])
  }

  async #renew(): Promise<void> {
    const message = this.#pick(this.#in('held'))
    if (message?.delivery === undefined || message.connection === undefined) return
    this.history.push(`renew ${message.body}`)
    assert.deepEqual(await message.connection.renew([message.delivery]), ['done'])
    // A driver may renew all that a connection holds at once; it must renew at least this one.
    await this.#renewAll(message.connection)
  }

  async #renewAll(connection: BrokerConnection): Promise<void> {
    const untilMs = this.#context.now() + leaseMs
    const held = this.#in('held').filter((message) => message.connection === connection)
    await connection.renew(held.flatMap(({ delivery }) => delivery ?? []))
    for (const message of held) message.untilMs = untilMs
  }

  async #settleOutdated(): Promise<void> {
    const delivery = this.#pick(this.#outdated)
    if (delivery === undefined) return
    this.history.push(`settle an old delivery of ${readBody(delivery)}`)
    const follow = publication(this.#queue, 'of a stale settlement')
    assert.deepEqual(await this.#connection().settle([{ delivery, publish: [follow] }]), ['stale'])
    assert.deepEqual(await this.#connection().renew([delivery]), ['stale'])
  }

  async #close(): Promise<void> {
    const connection = this.#connections.splice(this.#random(this.#connections.length), 1)[0]
    this.history.push('close')
    await connection?.close()
    for (const message of this.#in('held')) {
      if (message.connection === connection) this.#letGo(message, 'ready')
    }
  }

  async #elapse(): Promise<void> {
    // So far from the lease and the delay that what the machine takes in addition decides nothing.
    const ms = 21_000 + 24_000 * this.#random(3)
    this.history.push(`wait ${ms} ms`)
    await this.#context.elapse(ms)
    const nowMs = this.#context.now()
    for (const message of this.#messages) {
      if (message.untilMs > nowMs) continue
      if (message.state === 'delayed') message.state = 'ready'
      if (message.state !== 'held') continue
      message.redeliveries++
      this.#letGo(message, 'ready')
    }
    // Makes the driver notice, so that from here on the old deliveries are stale.
    await this.#compareCounts()
  }

  async #compareCounts(): Promise<void> {
    const [ready, delayed, held] = [this.#in('ready').length, this.#in('delayed').length, this.#in('held').length]
    assert.deepEqual(await this.#context.info(this.#connection(), this.#queue), { ready, delayed, held })
    const dead = await this.#context.info(this.#connection(), deadLetterQueue(this.#queue))
    assert.equal(dead.ready, this.#in('dead').length, 'dead letters')
  }

  #letGo(message: ModelMessage, state: ModelMessage['state']): void {
    if (message.delivery !== undefined) this.#outdated.push(message.delivery)
    Object.assign(message, { state, delivery: undefined, connection: undefined })
    if (state === 'ready' && this.#context.capabilities.returns === 'front') message.isOutOfPlace = true
  }

  #in(state: ModelMessage['state']): ModelMessage[] {
    return this.#messages.filter((message) => message.state === state)
  }

  #message(delivery: Delivery): ModelMessage {
    const message = this.#messages[Number(readBody(delivery))]
    assert.ok(message !== undefined, `"${readBody(delivery)}" was never published`)
    return message
  }

  #connection(): BrokerConnection {
    return this.#pick(this.#connections) as BrokerConnection
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#random(from.length)]
  }

  /** Smaller is sooner. */
  readonly #urgency = ({ priority }: ModelMessage): number =>
    this.#context.capabilities.priorityOrder === 'highest-first' ? -priority : priority
}

/** The same numbers for the same seed (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}
