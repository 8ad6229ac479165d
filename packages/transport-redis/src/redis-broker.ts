import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { type AbortableOptions, abortable, CeleryError, deferred } from '@celery/promises'
import type { RedisClient, RedisTarget } from '@celery/redis'
import {
  type Binding,
  type CloseOptions,
  ConnectionClosedError,
  type Delivery,
  type DeliveryRef,
  type ExchangeDeclaration,
  type FetchOptions,
  type LeaseKeeperSpec,
  type QueueDeclaration,
  type QueueInfo,
  type SettleResult,
  type TransportCapabilities,
} from '@celery/transport'
import type {
  LiveFanout,
  OnLiveMessage,
  QueueMessage,
  VirtualBroker,
  VirtualSettlement,
} from '@celery/transport/virtual'
import { toTransportError } from './broker-errors.ts'
import { redisCapabilities } from './capabilities.ts'
import { Declared } from './declared.ts'
import { redisFanout } from './fanout.ts'
import type { FanoutSettings } from './fanout-channels.ts'
import { Fetcher } from './fetcher.ts'
import { Keys, parseTag } from './keys.ts'
import type { LeaseKeeperData } from './lease-keeper.ts'
import { Putter } from './putter.ts'
import type { RedisBrokerSettings } from './redis-options.ts'
import { replyList, replyNumber, replyTexts } from './reply.ts'
import { endSession, joinSession, type LostFetch, type Session } from './session.ts'
import { closeSentScript, forgetScript, giveBackScript, renewScript } from './session-scripts.ts'
import { checkWrites, Settler } from './settler.ts'
import { type TakeoverOptions, takeOver } from './takeover.ts'
import { Topology } from './topology.ts'

export interface RedisBrokerOptions {
  readonly target: RedisTarget
  readonly settings: RedisBrokerSettings
  readonly fanout: FanoutSettings
  /** Milliseconds a delivery stays ours without renewal. */
  readonly leaseMs: number
  /** Who holds what is delivered; see `OpenOptions.session`. */
  readonly session: string
  readonly now: () => number
}

/** Takes up the session over a connection that was just opened. */
export async function startRedisBroker(client: RedisClient, options: RedisBrokerOptions): Promise<RedisBroker> {
  const { settings, target } = options
  const session = joinSession(options.session)
  const keys = new Keys({ ...settings, prefix: target.keyPrefix })
  const connection = `${session.id}.${randomBytes(6).toString('base64url')}`
  const broker = new RedisBroker(client, { ...options, keys, connection, session })
  await broker.recover()
  // Keys of another type must show before anything has left its list.
  for (const reply of await client.pipeline([
    ['HLEN', keys.unacked],
    ['ZCARD', keys.index],
  ])) {
    if (reply instanceof Error) throw reply
  }
  return broker
}

interface StartedOptions extends Omit<RedisBrokerOptions, 'session'> {
  readonly keys: Keys
  readonly connection: string
  readonly session: Session
}

/** One connection to the queues of a server. */
export class RedisBroker implements VirtualBroker {
  readonly capabilities: TransportCapabilities = redisCapabilities
  readonly domain: string
  readonly closed: Promise<void>
  readonly leaseKeeper: LeaseKeeperSpec
  readonly #client: RedisClient
  readonly #keys: Keys
  readonly #session: Session
  /** `<session>.<any>` */
  readonly #connection: string
  readonly #fanout: FanoutSettings
  readonly #topology: Topology
  readonly #declared: Declared
  readonly #fetcher: Fetcher
  readonly #putter: Putter
  readonly #settler: Settler
  readonly #onClosed = deferred()
  readonly #takeover: TakeoverOptions
  #takingOver: Promise<void> | undefined
  #renewTimer: NodeJS.Timeout
  #end: Error | undefined
  #closing: Promise<void> | undefined

  constructor(client: RedisClient, options: StartedOptions) {
    const { keys, connection, session, settings, target, leaseMs, now } = options
    this.#client = client
    this.#fanout = options.fanout
    this.#keys = keys
    this.#session = session
    this.#connection = connection
    this.domain = client.domain
    this.closed = this.#onClosed.promise
    // Whoever wants to know asks; an ended connection must not end the process of somebody who does not.
    this.closed.catch(() => {})
    this.#takeover = { leaseMs, graceMs: Math.min(settings.takeoverGraceMs, leaseMs), session: session.id }
    this.#topology = new Topology(client, keys)
    this.#declared = new Declared(client, keys)
    this.#putter = new Putter(client, keys, connection)
    this.#settler = new Settler(client, keys, { connection, session, now, visibilityMs: settings.visibilityTimeoutMs })
    this.#fetcher = new Fetcher(client, keys, { ...this.#takeover, settings, session, connection })
    const data: LeaseKeeperData = {
      target: target.toData(),
      settings,
      ...this.#takeover,
    }
    this.leaseKeeper = { module: keeperModule(), data }
    this.#renewTimer = setInterval(() => this.#renewSession(), leaseMs / 4).unref()
    client.closed.catch((error: unknown) => this.#fail(error))
  }

  declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    return this.#run(() => {
      const declare = (): Promise<void> => this.#topology.declareExchange(exchange)
      this.#declared.note(`exchange ${exchange.name}`, declare)
      return declare()
    }, options)
  }

  deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    this.#declared.forget(`exchange ${name}`)
    return this.#run(() => this.#topology.deleteExchange(name), options)
  }

  exchange(name: string, options?: AbortableOptions): Promise<ExchangeDeclaration | undefined> {
    return this.#run(async () => {
      const exchange = await this.#topology.exchange(name)
      // Who finds it there does not declare it, and relies on it all the same.
      if (exchange !== undefined && !this.#declared.has(`exchange ${name}`)) {
        this.#declared.note(`exchange ${name}`, () => this.#topology.declareExchange(exchange))
      }
      return exchange
    }, options)
  }

  declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    return this.#run(async () => {
      // What lost owners held counts as ready.
      await this.#takeOver()
      const declare = (): Promise<QueueInfo> => this.#topology.declareQueue(queue, this.#session.id)
      // Others end by themselves, and must not come back.
      const isLasting = queue.exclusive !== true && queue.autoDelete !== true && queue.expiresMs === undefined
      if (isLasting) this.#declared.note(`queue ${queue.name}`, declare)
      return await declare()
    }, options)
  }

  deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    this.#declared.forget(`queue ${name}`)
    return this.#run(() => this.#topology.deleteQueue(name), options)
  }

  bind(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#run(() => {
      const bind = (): Promise<void> => this.#topology.bind(binding)
      if (this.#declared.has(`queue ${binding.queue}`)) {
        this.#declared.note(bindingName(binding), async () => {
          if (this.#declared.has(`queue ${binding.queue}`)) await bind()
        })
      }
      return bind()
    }, options)
  }

  unbind(binding: Binding, options?: AbortableOptions): Promise<void> {
    this.#declared.forget(bindingName(binding))
    return this.#run(() => this.#topology.unbind(binding), options)
  }

  bindings(exchange: string, options?: AbortableOptions): Promise<readonly Binding[]> {
    return this.#run(() => this.#topology.bindings(exchange), options)
  }

  purge(queue: string, options?: AbortableOptions): Promise<number> {
    return this.#run(() => this.#topology.purge(queue), options)
  }

  put(messages: readonly QueueMessage[], options?: AbortableOptions): Promise<void> {
    return this.#run(() => this.#putter.put(messages, options))
  }

  async fetch(queues: readonly string[], { max, signal }: FetchOptions): Promise<readonly Delivery[]> {
    return await this.#run(async () => {
      await this.recover()
      await this.#fetcher.prepare(queues, this.#topology)
      for (let ownersFirst = true; ; ) {
        this.#checkOpen()
        signal.throwIfAborted()
        const { deliveries, expiredOwners, idleMs } = await this.#fetcher.take(queues, max, { signal, ownersFirst })
        if (deliveries.length > 0) return deliveries
        // Once, so that what cannot be taken over keeps nobody from the rest.
        ownersFirst = expiredOwners === 0
        if (expiredOwners > 0) await this.#takeOver()
        else await this.#fetcher.idle(queues, idleMs, signal)
      }
    })
  }

  async settle(
    settlements: readonly VirtualSettlement[],
    options?: AbortableOptions,
  ): Promise<readonly SettleResult[]> {
    checkWrites(settlements)
    return await this.#run(() => this.#settler.settle(settlements, options))
  }

  renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    return this.#run(async () => {
      if (deliveries.length === 0) return []
      const checks = deliveries.map(({ tag }) => ['HEXISTS', this.#keys.unacked, tag] as const)
      const replies = await this.#client.pipeline(checks)
      const results = replies.map((reply): SettleResult => {
        if (reply instanceof Error) throw reply
        return reply === 1 ? 'done' : 'stale'
      })
      // A lease belongs to the session: renewing one delivery renews all that it holds.
      const held = deliveries.filter((_, index) => results[index] === 'done')
      for (const [index, { tag }] of deliveries.entries())
        if (results[index] === 'stale') this.#session.held.delete(tag)
      const sessions = new Set(held.map(({ tag }) => parseTag(tag)?.session))
      for (const session of sessions) if (session !== undefined) await this.#renew(session)
      return results
    }, options)
  }

  liveFanout(onMessage: OnLiveMessage): LiveFanout {
    return redisFanout({ client: this.#client, onMessage, settings: this.#fanout })
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.sessionGoesOn === true)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Gives back what was delivered to earlier connections of the session and never arrived. */
  async recover(): Promise<void> {
    const lost = this.#session.takeLost()
    if (lost.length === 0) return
    try {
      // From here on those connections take nothing more, not even by a command that is still on its way.
      for (const name of new Set(lost.map((fetch) => fetch.connection))) {
        await this.#client.script(closeSentScript, [this.#keys.put(name), this.#keys.settled(name)])
      }
      const held = replyTexts(await this.#client.send('SMEMBERS', this.#keys.held(this.#session.id)))
      await this.#giveBack(held.filter((tag) => lost.some((fetch) => isOf(fetch, tag))))
    } catch (error) {
      for (const fetch of lost) this.#session.lost(fetch)
      throw error
    }
  }

  /** Gives deliveries of this session back as they are. */
  async #giveBack(tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return
    const { prefix, separator, unacked, index } = this.#keys
    const inOrder = [...tags].sort((a, b) => (parseTag(a)?.count ?? 0) - (parseTag(b)?.count ?? 0))
    await this.#client.script(giveBackScript, [unacked, index], [prefix, separator, ...inOrder])
  }

  async #close(sessionGoesOn: boolean): Promise<void> {
    if (this.#end !== undefined) return
    const error = new ConnectionClosedError(this.#client.address)
    this.#finish(error)
    if (!sessionGoesOn) {
      try {
        await abortable(this.#endSession(), AbortSignal.timeout(closeTimeoutMs))
      } catch {
        // The server is gone or hangs: what we held comes back when the lease ends, as it does after a crash.
      }
      endSession(this.#session)
    }
    await this.#client.close()
    this.#onClosed.resolve()
  }

  async #endSession(): Promise<void> {
    const { prefix, separator, owners } = this.#keys
    const { id } = this.#session
    await this.recover()
    await this.#giveBack(replyTexts(await this.#client.send('SMEMBERS', this.#keys.held(id))))
    await this.#topology.leave(id)
    const keys = [owners, this.#keys.held(id), this.#keys.exclusive(id)]
    await this.#client.script(forgetScript, keys, [prefix, separator, id, 1])
    // Nobody is left who could ask.
    await this.#client.send('DEL', this.#keys.put(this.#connection), this.#keys.settled(this.#connection))
  }

  #fail(error: unknown): void {
    const translated = toTransportError(this.#client.address, error)
    if (this.#end !== undefined || !(translated instanceof Error)) return
    this.#finish(translated)
    this.#onClosed.reject(translated)
  }

  #finish(error: Error): void {
    this.#end = error
    clearInterval(this.#renewTimer)
    this.#declared.stop()
    this.#putter.fail(error)
    this.#settler.fail(error)
    this.#fetcher.wake()
  }

  #checkOpen(): void {
    if (this.#end !== undefined) throw this.#end
  }

  async #run<T>(operation: () => Promise<T>, options: AbortableOptions = {}): Promise<T> {
    this.#checkOpen()
    try {
      return await (options.signal === undefined ? operation() : abortable(operation(), options.signal))
    } catch (error) {
      const isRedis = CeleryError.is(error, 'ERR_CELERY_REDIS_UNAVAILABLE')
      if (isRedis) this.#fail(error)
      throw isRedis && this.#end !== undefined ? this.#end : toTransportError(this.#client.address, error)
    }
  }

  /** Several fetches may find at once that there is something to take over. */
  #takeOver(): Promise<void> {
    this.#takingOver ??= takeOver(this.#client, this.#keys, this.#takeover).finally(() => {
      this.#takingOver = undefined
    })
    return this.#takingOver
  }

  /** For connections without a lease keeper, which would renew sooner. */
  #renewSession(): void {
    if (this.#session.held.size === 0) return
    this.#renew(this.#session.id).catch(() => {
      // The connection is lost, or the next operation says what is wrong to somebody who can act on it.
    })
  }

  async #renew(session: string): Promise<void> {
    const { prefix, separator, owners, renewed, index } = this.#keys
    const { leaseMs, graceMs } = this.#takeover
    const reply = await this.#client.script(
      renewScript,
      [owners, renewed, this.#keys.held(session), index],
      [prefix, separator, session, leaseMs, graceMs],
    )
    const [, gone] = replyList(reply)
    if (replyNumber(gone) > 0) await this.#takeOver()
  }
}

/** A stop must not wait for a server that does not answer. */
const closeTimeoutMs = 2_000

function bindingName({ exchange, queue, routingKey }: Binding): string {
  return `binding ${JSON.stringify([exchange, queue, routingKey])}`
}

/** Whether a delivery came with that fetch. */
function isOf({ first, size }: LostFetch, tag: string): boolean {
  const count = parseTag(tag)?.count ?? 0
  return count >= first && count < first + size
}

/** Asked of Node rather than written down, because this file and that one lie elsewhere when run from their source. */
function keeperModule(): URL {
  return pathToFileURL(createRequire(import.meta.url).resolve('@celery/transport-redis/lease-keeper'))
}
