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
  VirtualFetchOptions,
  VirtualSettlement,
} from '@celery/transport/virtual'
import { toTransportError } from './broker-errors.ts'
import { redisCapabilities } from './capabilities.ts'
import { Declarations } from './declarations.ts'
import { redisFanout } from './fanout.ts'
import type { FanoutSettings } from './fanout-channels.ts'
import { Fetcher } from './fetcher.ts'
import { Keys } from './keys.ts'
import type { LeaseKeeperData } from './lease-keeper.ts'
import { Putter } from './putter.ts'
import { Queues } from './queues.ts'
import type { RedisBrokerSettings } from './redis-options.ts'
import { joinSession, leaveSession, type Session } from './session.ts'
import { SessionHolds } from './session-holds.ts'
import { checkWrites, Settler } from './settler.ts'

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
  try {
    await broker.takeUp()
    return broker
  } catch (error) {
    await broker.close({ sessionGoesOn: true })
    throw error
  }
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
  readonly #session: Session
  readonly #fanout: FanoutSettings
  readonly #queues: Queues
  readonly #declarations: Declarations
  readonly #holds: SessionHolds
  readonly #fetcher: Fetcher
  readonly #putter: Putter
  readonly #settler: Settler
  readonly #onClosed = deferred()
  #renewTimer: NodeJS.Timeout
  #end: Error | undefined
  #closing: Promise<void> | undefined

  constructor(client: RedisClient, options: StartedOptions) {
    const { keys, connection, session, settings, target, leaseMs, now } = options
    this.#client = client
    this.#fanout = options.fanout
    this.#session = session
    this.domain = client.domain
    this.closed = this.#onClosed.promise
    // Whoever wants to know asks; an ended connection must not end the process of somebody who does not.
    this.closed.catch(() => {})
    const lease = { leaseMs, graceMs: Math.min(settings.takeoverGraceMs, leaseMs) }
    this.#queues = new Queues(client, keys)
    this.#declarations = new Declarations(client, keys, this.#queues, { leaseMs, session })
    this.#holds = new SessionHolds(client, keys, { ...lease, session, connection })
    this.#putter = new Putter(client, keys, connection)
    this.#settler = new Settler(client, keys, { connection, session, now, visibilityMs: settings.visibilityTimeoutMs })
    this.#fetcher = new Fetcher(client, keys, { ...lease, settings, session, connection })
    const data: LeaseKeeperData = {
      target: target.toData(),
      settings,
      ...lease,
      session: session.id,
    }
    this.leaseKeeper = { module: keeperModule(), data }
    this.#renewTimer = setInterval(() => this.#renewOwn(), leaseMs / 4).unref()
    client.closed.catch((error: unknown) => this.#fail(error))
  }

  declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    return this.#run(() => this.#declarations.declareExchange(exchange), options)
  }

  deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    return this.#run(() => this.#declarations.deleteExchange(name), options)
  }

  exchange(name: string, options?: AbortableOptions): Promise<ExchangeDeclaration | undefined> {
    return this.#run(() => this.#declarations.exchange(name), options)
  }

  declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    return this.#run(async () => {
      // What lost owners held counts as ready.
      if (!this.#session.failedTakingOver) await this.#holds.takeOver()
      return await this.#declarations.declareQueue(queue)
    }, options)
  }

  deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    return this.#run(() => this.#declarations.deleteQueue(name), options)
  }

  bind(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#run(() => this.#declarations.bind(binding), options)
  }

  unbind(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#run(() => this.#declarations.unbind(binding), options)
  }

  bindings(exchange: string, options?: AbortableOptions): Promise<readonly Binding[]> {
    return this.#run(() => this.#declarations.bindings(exchange), options)
  }

  purge(queue: string, options?: AbortableOptions): Promise<number> {
    return this.#run(() => this.#queues.purge(queue), options)
  }

  put(messages: readonly QueueMessage[], options?: AbortableOptions): Promise<void> {
    return this.#run(() => this.#putter.put(messages, options))
  }

  async fetch(queues: readonly string[], { max, onEmpty, signal }: VirtualFetchOptions): Promise<readonly Delivery[]> {
    return await this.#run(async () => {
      await this.#holds.recover()
      // Where that failed it may fail again, and again: what there is comes before the next attempt.
      let ownersFirst = !this.#session.failedTakingOver
      this.#session.failedTakingOver = false
      for (;;) {
        this.#checkOpen()
        signal.throwIfAborted()
        // Each time: who waits at a queue uses it.
        await this.#fetcher.prepare(queues, this.#queues)
        // Taking only hears of what happens from then on.
        signal.throwIfAborted()
        const taken = await this.#fetcher.take(queues, max, { signal, ownersFirst })
        if (this.#closing !== undefined) {
          // Closing gives back what is held, these too.
          this.#fetcher.leave(taken.deliveries)
          this.#checkOpen()
        }
        if (taken.deliveries.length > 0) return taken.deliveries
        // Once, so that what cannot be taken over keeps nobody from the rest.
        ownersFirst = taken.expiredOwners === 0
        if (taken.expiredOwners > 0) {
          await this.#holds.takeOver()
          continue
        }
        onEmpty?.()
        signal.throwIfAborted()
        await this.#fetcher.idle(queues, taken, signal)
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
    return this.#run(() => this.#holds.renew(deliveries), options)
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

  /** Begins where earlier connections of the session have left off. */
  takeUp(): Promise<void> {
    return this.#holds.takeUp()
  }

  async #close(sessionGoesOn: boolean): Promise<void> {
    const hasFailed = this.#end !== undefined
    if (!hasFailed) this.#finish(new ConnectionClosedError(this.#client.address))
    if (!hasFailed && !sessionGoesOn) {
      try {
        const timeoutMs = this.#session.isUnused ? unusedTimeoutMs : closeTimeoutMs
        await abortable(this.#holds.end(this.#queues), AbortSignal.timeout(timeoutMs))
      } catch {
        // The server is gone or hangs: what we held comes back when the lease ends, as it does after a crash.
      }
    }
    // After a failure another connection may carry it on, whatever becomes of this one.
    leaveSession(this.#session, sessionGoesOn || hasFailed)
    // Also then: where another connection has taken its place, it is still there.
    await this.#client.close()
    this.#onClosed.resolve()
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
    this.#declarations.stop()
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

  #renewOwn(): void {
    this.#holds.renewOwn().catch(() => {
      // The connection is lost, or the next operation says what is wrong to somebody who can act on it.
    })
  }
}

/** A stop must not wait for a server that does not answer. */
const closeTimeoutMs = 1_500
/** The same where all that is left behind ends by itself before long. */
const unusedTimeoutMs = 300

/** Asked of Node rather than written down, because this file and that one lie elsewhere when run from their source. */
function keeperModule(): URL {
  return pathToFileURL(createRequire(import.meta.url).resolve('@celery/transport-redis/lease-keeper'))
}
