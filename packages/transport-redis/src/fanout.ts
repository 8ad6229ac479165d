import { type AbortableOptions, abortable, deferred } from '@celery/promises'
import type { PublishedMessage, RedisClient, RedisSubscriber } from '@celery/redis'
import type { Binding } from '@celery/transport'
import type { LiveFanout, LiveMessage, OnLiveMessage } from '@celery/transport/virtual'
import { toTransportError } from './broker-errors.ts'
import { type Channels, FanoutChannels, type FanoutSettings, hears } from './fanout-channels.ts'

export interface RedisFanoutOptions {
  /** Publishes, and opens the connection that listens, once there is anything to listen to. */
  readonly client: RedisClient
  readonly onMessage: OnLiveMessage
  readonly settings: FanoutSettings
}

/**
 * Fanout exchanges as kombu carries them on Redis: by PUB/SUB. Nothing is kept; who listens gets it. Listening needs a
 * connection of its own, which is opened for the first queue; when it fails, `closed` rejects.
 */
export function redisFanout(options: RedisFanoutOptions): LiveFanout {
  return new RedisFanout(options)
}

/** One subscription in the server, and the queues that it is for. */
interface Subscription {
  readonly channels: Channels
  readonly queues: Set<string>
  readonly done: Promise<void>
}

class RedisFanout implements LiveFanout {
  readonly closed: Promise<void>
  readonly #client: RedisClient
  readonly #onMessage: OnLiveMessage
  readonly #channels: FanoutChannels
  readonly #onClosed = deferred()
  /** By what the server is asked for, in the order of asking. */
  readonly #subscriptions = new Map<string, Subscription>()
  #subscriber: Promise<RedisSubscriber> | undefined
  #isClosed = false

  constructor({ client, onMessage, settings }: RedisFanoutOptions) {
    this.#client = client
    this.#onMessage = onMessage
    this.#channels = new FanoutChannels(settings, client.keyPrefix, client.db)
    this.closed = this.#onClosed.promise
    // Whoever wants to know asks; others need not handle it.
    this.closed.catch(() => {})
  }

  async publish(messages: readonly LiveMessage[], options: AbortableOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const commands = messages.map(
      ({ exchange, payload, routingKey }) =>
        ['PUBLISH', this.#channels.channel(exchange, routingKey), payload] as const,
    )
    try {
      const replies = await abortable(this.#client.pipeline(commands), options.signal)
      for (const reply of replies) if (reply instanceof Error) throw reply
    } catch (error) {
      throw toTransportError(this.#client.address, error)
    }
  }

  async listen({ exchange, queue, routingKey }: Binding, options: AbortableOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const channels = this.#channels.channels(exchange, routingKey)
    const key = keyOf(channels)
    const known = this.#subscriptions.get(key)
    const subscription = known ?? { channels, queues: new Set(), done: this.#subscribe(channels) }
    subscription.queues.add(queue)
    if (known === undefined) {
      this.#subscriptions.set(key, subscription)
      subscription.done.catch(() => {
        if (this.#subscriptions.get(key) === subscription) this.#subscriptions.delete(key)
      })
    }
    await abortable(subscription.done, options.signal)
  }

  async unlisten({ exchange, queue, routingKey }: Binding, options: AbortableOptions = {}): Promise<void> {
    const channels = this.#channels.channels(exchange, routingKey)
    const key = keyOf(channels)
    const subscription = this.#subscriptions.get(key)
    if (subscription?.queues.delete(queue) !== true || subscription.queues.size > 0) return
    this.#subscriptions.delete(key)
    await abortable(this.#unsubscribe(channels), options.signal)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#subscriptions.clear()
    const subscriber = await this.#subscriber?.catch(() => undefined)
    await subscriber?.close()
    this.#onClosed.resolve()
  }

  async #subscribe({ isPattern, text }: Channels): Promise<void> {
    try {
      this.#subscriber ??= this.#open()
      const subscriber = await this.#subscriber
      await (isPattern ? subscriber.psubscribe(text) : subscriber.subscribe(text))
    } catch (error) {
      throw toTransportError(this.#client.address, error)
    }
  }

  async #unsubscribe({ isPattern, text }: Channels): Promise<void> {
    try {
      const subscriber = await this.#subscriber
      await (isPattern ? subscriber?.punsubscribe(text) : subscriber?.unsubscribe(text))
    } catch (error) {
      throw toTransportError(this.#client.address, error)
    }
  }

  async #open(): Promise<RedisSubscriber> {
    try {
      const subscriber = await this.#client.subscriber()
      if (this.#isClosed) await subscriber.close()
      subscriber.onMessage((message) => this.#receive(message))
      subscriber.closed.catch((error: unknown) => this.#onClosed.reject(toTransportError(this.#client.address, error)))
      return subscriber
    } catch (error) {
      this.#subscriber = undefined
      throw error
    }
  }

  /** The server sends a message once for each subscription; a queue with several of them takes it from the first. */
  #receive({ channel, pattern, payload }: PublishedMessage): void {
    const subscription = this.#subscriptions.get(keyOf({ isPattern: pattern !== undefined, text: pattern ?? channel }))
    for (const queue of subscription?.queues ?? []) {
      if (this.#first(queue, channel) === subscription) this.#onMessage(queue, payload)
    }
  }

  #first(queue: string, channel: string): Subscription | undefined {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.queues.has(queue) && hears(subscription.channels, channel)) return subscription
    }
    return undefined
  }
}

function keyOf({ isPattern, text }: Pick<Channels, 'isPattern' | 'text'>): string {
  return `${isPattern ? 'pattern' : 'channel'} ${text}`
}
