import { isUtf8 } from 'node:buffer'
import { CeleryError, deferred, onAbort, sleep } from '@celery/promises'
import { type RedisClient, RedisUnavailableError } from '@celery/redis'
import { type Delivery, isDeadLetterQueue } from '@celery/transport'
import { unwrapDead } from './dead-letter.ts'
import { fetchScript } from './fetch-script.ts'
import { IdleWait, type Look } from './idle-wait.ts'
import { type Keys, makeTag, parseTag } from './keys.ts'
import type { QueueTraits } from './queue-traits.ts'
import type { Queues } from './queues.ts'
import { redeliveriesOf } from './redelivered.ts'
import type { RedisBrokerSettings } from './redis-options.ts'
import { replyList, replyNumber } from './reply.ts'
import type { Session } from './session.ts'
import { giveBackScript } from './session-scripts.ts'

export interface FetcherOptions {
  readonly leaseMs: number
  readonly graceMs: number
  readonly settings: RedisBrokerSettings
  readonly session: Session
  /** `<session>.<any>` */
  readonly connection: string
}

export interface TakeOptions {
  readonly signal: AbortSignal
  /** Whether to take nothing while there is something to take over. */
  readonly ownersFirst: boolean
}

export interface Taken {
  readonly deliveries: readonly Delivery[]
  /** Owners whose leases have ended, where that was asked; nothing was taken then. */
  readonly expiredOwners: number
  /** Milliseconds after which something may come without anybody putting it. */
  readonly idleMs: number
  /** A wait that began with the attempt, as it would probably bring little. */
  readonly look: Look | undefined
}

/** Takes messages from their lists, and waits for some. */
export class Fetcher {
  readonly #client: RedisClient
  readonly #keys: Keys
  readonly #options: FetcherOptions
  readonly #idle: IdleWait
  /** What the queues are that were asked for before; one that is declared later stays a plain one here. */
  readonly #traits = new Map<string, QueueTraits | undefined>()
  /** How long to wait at most before a queue that goes away without use is used again. */
  #longestIdleMs = Number.POSITIVE_INFINITY
  /** Whether the last attempt found less than there was room for, so that the next may well find nothing. */
  #foundLittle = false
  #turn = 0

  constructor(client: RedisClient, keys: Keys, options: FetcherOptions) {
    this.#client = client
    this.#keys = keys
    this.#options = options
    this.#idle = new IdleWait(client, options.settings.pollingMs)
  }

  /** Notes the use of queues that go away without it. Costs nothing for plain queues but the first time. */
  async prepare(queues: readonly string[], known: Queues): Promise<void> {
    const { leaseMs, session } = this.#options
    const owner = { leaseMs, session: session.id }
    const unknown = queues.filter((queue) => !this.#traits.has(queue))
    if (unknown.length > 0) {
      const traits = await known.traits(unknown)
      for (const [index, queue] of unknown.entries()) {
        this.#traits.set(queue, traits[index])
        if (traits[index]?.autoDelete === true) {
          session.hasQueues = true
          await known.addConsumer(queue, owner)
        }
      }
    }
    for (const queue of queues) {
      const expiresMs = this.#traits.get(queue)?.expiresMs
      if (expiresMs === undefined) continue
      this.#longestIdleMs = Math.min(this.#longestIdleMs, expiresMs / 2)
      session.hasQueues = true
      await known.use(queue, expiresMs, owner)
    }
  }

  /** What there is, without waiting for any. */
  async take(queues: readonly string[], max: number, options: TakeOptions): Promise<Taken> {
    const { signal } = options
    const taking = this.#take(this.#inTurn(queues), max, options.ownersFirst)
    const taken = await this.#orGiveBack(taking, signal)
    this.#foundLittle = taken.deliveries.length < max
    if (taken.deliveries.length > 0) this.#idle.found()
    return taken
  }

  /** Resolves when another attempt may find something. */
  idle(queues: readonly string[], { idleMs, look }: Taken, signal: AbortSignal): Promise<void> {
    const lists = queues.flatMap((queue) => this.#keys.lists(queue))
    // A waiting fetch is what finds ended leases, and shows that they could have been renewed.
    return this.#idle.until(lists, Math.min(idleMs, this.#options.leaseMs / 4), { signal, look })
  }

  wake(): void {
    this.#idle.wake()
  }

  /** Nobody works on these, and they cannot be given back here: the next connection of the session does that. */
  leave(deliveries: readonly Delivery[]): void {
    const { connection, session } = this.#options
    for (const { tag } of deliveries) {
      session.held.delete(tag)
      session.lost({ connection, first: parseTag(tag)?.count ?? 0, size: 1 })
    }
  }

  async #take(queues: readonly string[], max: number, ownersFirst: boolean): Promise<Taken> {
    const { session, connection, leaseMs, graceMs } = this.#options
    const { prefix, separator, steps, unacked, index, owners, eta, delayed, renewed } = this.#keys
    const lists = steps.flatMap((step) => queues.map((queue) => this.#keys.list(queue, step)))
    const sent = session.send(connection, max)
    const held = this.#keys.held(session.id)
    const keys = [unacked, index, held, owners, eta, delayed, this.#keys.settled(connection), renewed, ...lists]
    const args = [prefix, separator, session.id, leaseMs, graceMs, max, sent.first, ownersFirst ? 1 : 0]
    const asking = this.#client.scriptBuffer(fetchScript, keys, [...args, queues.length, ...queues, ...steps])
    const look = this.#foundLittle ? this.#idle.look(lists) : undefined
    const reply = await asking.catch((error: unknown) => {
      // It may have taken messages, of which nobody here knows.
      if (CeleryError.is(error, 'ERR_CELERY_REDIS_UNAVAILABLE')) session.lost(sent)
      else session.answered(sent)
      throw error
    })
    const [expiredOwners, idleMs, ...parts] = replyList(reply)
    const deliveries = this.#read(queues, parts, sent.first)
    session.answered(sent)
    if (expiredOwners === -1) throw new RedisUnavailableError(this.#client.address, 'closed', takenUp)
    const soonest = replyNumber(idleMs)
    return {
      deliveries,
      expiredOwners: replyNumber(expiredOwners),
      idleMs: Math.min(soonest < 0 ? Number.POSITIVE_INFINITY : soonest, this.#longestIdleMs),
      look,
    }
  }

  #read(queues: readonly string[], parts: readonly unknown[], first: number): readonly Delivery[] {
    const { session } = this.#options
    const deliveries: Delivery[] = []
    let count = first
    for (let at = 0; at < parts.length; at += 3) {
      const queue = queues[replyNumber(parts[at])] ?? ''
      const step = replyNumber(parts[at + 1])
      const isDead = isDeadLetterQueue(queue)
      for (const payload of replyList(parts[at + 2])) {
        const tag = makeTag({ session: session.id, count: count++, step, queue })
        session.held.add(tag)
        deliveries.push(delivery(queue, tag, Buffer.isBuffer(payload) ? payload : Buffer.from(String(payload)), isDead))
      }
    }
    return deliveries
  }

  /**
   * Somebody who has given up must hold nothing: what comes after all goes back. That is waited for, a moment, since who
   * counts the messages next should find them.
   */
  async #orGiveBack(taking: Promise<Taken>, signal: AbortSignal): Promise<Taken> {
    const { promise: aborted, cancel } = whenAborted(signal)
    // Decided once: whoever looked at the signal again might neither hand out nor give back.
    const taken = await Promise.race([taking, aborted]).finally(cancel)
    if (taken !== undefined) return taken
    const givenBack = taking.then(({ deliveries }) => this.#giveBack(deliveries)).catch(() => {})
    await Promise.race([givenBack, sleep(giveBackMs)])
    throw signal.reason
  }

  async #giveBack(deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.length === 0) return
    const { session } = this.#options
    const { prefix, separator, unacked, index } = this.#keys
    const tags = deliveries.map(({ tag }) => tag)
    for (const tag of tags) session.held.delete(tag)
    try {
      await this.#client.script(giveBackScript, [unacked, index], [prefix, separator, ...tags])
    } catch (error) {
      this.leave(deliveries)
      throw error
    }
  }

  /** The order in which queues are served. */
  #inTurn(queues: readonly string[]): readonly string[] {
    if (queues.length < 2) return queues
    switch (this.#options.settings.queueOrder) {
      case 'priority':
        return queues
      case 'sorted':
        return [...queues].sort()
      default: {
        const start = this.#turn++ % queues.length
        return [...queues.slice(start), ...queues.slice(0, start)]
      }
    }
  }
}

const takenUp = 'another connection has taken its place'
const giveBackMs = 500

function delivery(queue: string, tag: string, value: Buffer, isDead: boolean): Delivery {
  const dead = isDead ? unwrapDead(value) : undefined
  const bytes = dead?.payload ?? value
  const text = bytes.toString('utf8')
  // Bytes that are no UTF-8 stay bytes, for whoever decodes them to refuse.
  const isText = !text.includes('\uFFFD') || isUtf8(bytes)
  const redeliveries = isText ? redeliveriesOf(text) : 0
  const payload = isText ? text : bytes
  const found = { queue, tag, fence: tag, redeliveries, payload }
  return dead?.reason === undefined ? found : { ...found, deadReason: dead.reason }
}

function whenAborted(signal: AbortSignal): { readonly promise: Promise<void>; cancel(): void } {
  const { promise, resolve } = deferred()
  return { promise, cancel: onAbort(signal, resolve) }
}
