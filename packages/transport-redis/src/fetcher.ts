import { isUtf8 } from 'node:buffer'
import { CeleryError, sleep } from '@celery/promises'
import { type RedisClient, RedisUnavailableError } from '@celery/redis'
import { type Delivery, isDeadLetterQueue } from '@celery/transport'
import { unwrapDead } from './dead-letter.ts'
import { fetchScript } from './fetch-script.ts'
import { IdleWait } from './idle-wait.ts'
import { type Keys, makeTag, parseTag } from './keys.ts'
import { redeliveriesOf } from './redelivered.ts'
import type { RedisBrokerSettings } from './redis-options.ts'
import { replyList, replyNumber } from './reply.ts'
import type { Session } from './session.ts'
import { giveBackScript } from './session-scripts.ts'
import type { QueueTraits, Topology } from './topology.ts'

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
}

/** Takes messages from their lists, and waits for some. */
export class Fetcher {
  readonly #client: RedisClient
  readonly #keys: Keys
  readonly #options: FetcherOptions
  readonly #idle: IdleWait
  /** What the queues are that were asked for before; one that is declared later stays a plain one here. */
  readonly #traits = new Map<string, QueueTraits | undefined>()
  #turn = 0

  constructor(client: RedisClient, keys: Keys, options: FetcherOptions) {
    this.#client = client
    this.#keys = keys
    this.#options = options
    this.#idle = new IdleWait(client, options.settings.pollingMs)
  }

  /** Notes the use of queues that go away without it. Costs nothing for plain queues but the first time. */
  async prepare(queues: readonly string[], topology: Topology): Promise<void> {
    const unknown = queues.filter((queue) => !this.#traits.has(queue))
    if (unknown.length > 0) {
      const traits = await topology.traits(unknown)
      for (const [index, queue] of unknown.entries()) {
        this.#traits.set(queue, traits[index])
        if (traits[index]?.autoDelete === true) await topology.addConsumer(queue, this.#options.session.id)
      }
    }
    for (const queue of queues) {
      const expiresMs = this.#traits.get(queue)?.expiresMs
      if (expiresMs !== undefined) await topology.touch(queue, expiresMs)
    }
  }

  /** What there is, without waiting for any. */
  async take(queues: readonly string[], max: number, options: TakeOptions): Promise<Taken> {
    const { signal } = options
    const taking = this.#take(this.#inTurn(queues), max, options.ownersFirst)
    const taken = await this.#orGiveBack(taking, signal)
    if (taken.deliveries.length > 0) this.#idle.found()
    return taken
  }

  /** Resolves when another attempt may find something. */
  idle(queues: readonly string[], idleMs: number, signal: AbortSignal): Promise<void> {
    const lists = queues.flatMap((queue) => this.#keys.lists(queue))
    return this.#idle.until(lists, idleMs, { signal })
  }

  wake(): void {
    this.#idle.wake()
  }

  async #take(queues: readonly string[], max: number, ownersFirst: boolean): Promise<Taken> {
    const { session, connection, leaseMs, graceMs } = this.#options
    const { prefix, separator, steps, unacked, index, owners, eta, delayed, renewed } = this.#keys
    const lists = steps.flatMap((step) => queues.map((queue) => this.#keys.list(queue, step)))
    const first = session.reserve(max)
    const held = this.#keys.held(session.id)
    const keys = [unacked, index, held, owners, eta, delayed, this.#keys.settled(connection), renewed, ...lists]
    const args = [prefix, separator, session.id, leaseMs, graceMs, max, first, ownersFirst ? 1 : 0]
    const asking = this.#client.scriptBuffer(fetchScript, keys, [...args, queues.length, ...queues, ...steps])
    const reply = await asking.catch((error: unknown) => {
      // It may have taken messages, of which nobody here knows.
      if (CeleryError.is(error, 'ERR_CELERY_REDIS_UNAVAILABLE')) session.lost({ connection, first, size: max })
      throw error
    })
    const [expiredOwners, idleMs, ...parts] = replyList(reply)
    if (expiredOwners === -1) throw new RedisUnavailableError(this.#client.address, 'closed', takenUp)
    const soonest = replyNumber(idleMs)
    return {
      deliveries: this.#read(queues, parts, first),
      expiredOwners: replyNumber(expiredOwners),
      idleMs: soonest < 0 ? Number.POSITIVE_INFINITY : soonest,
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
    const givenBack = taking.then(async (taken) => {
      if (signal.aborted) await this.#giveBack(taken.deliveries)
      return taken
    })
    if (!signal.aborted) {
      const { promise: aborted, cancel } = whenAborted(signal)
      try {
        await Promise.race([givenBack, aborted])
      } finally {
        cancel()
      }
    }
    if (!signal.aborted) return await givenBack
    await Promise.race([givenBack, sleep(giveBackMs)]).catch(() => {})
    givenBack.catch(() => {})
    throw signal.reason
  }

  async #giveBack(deliveries: readonly Delivery[]): Promise<void> {
    const { session } = this.#options
    const { prefix, separator, unacked, index } = this.#keys
    const tags = deliveries.map(({ tag }) => tag)
    for (const tag of tags) session.held.delete(tag)
    if (tags.length === 0) return
    try {
      await this.#client.script(giveBackScript, [unacked, index], [prefix, separator, ...tags])
    } catch (error) {
      // Nobody works on them: the next connection gives them back.
      for (const tag of tags) {
        session.lost({ connection: this.#options.connection, first: parseTag(tag)?.count ?? 0, size: 1 })
      }
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
  const common = { queue, tag, fence: tag, redeliveries: isText ? redeliveriesOf(text) : 0 }
  const payload = isText ? text : bytes
  return dead?.reason === undefined ? { ...common, payload } : { ...common, payload, deadReason: dead.reason }
}

function whenAborted(signal: AbortSignal): { readonly promise: Promise<void>; cancel(): void } {
  let cancel = (): void => {}
  const promise = new Promise<void>((resolve) => {
    const onAbort = (): void => resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    cancel = () => signal.removeEventListener('abort', onAbort)
  })
  return { promise, cancel }
}
