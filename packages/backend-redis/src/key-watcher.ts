import { BackendClosedError } from '@celery/backend'
import {
  type AbortableOptions,
  abortable,
  anySignal,
  growingPause,
  type RetryPolicy,
  retry,
  sleep,
} from '@celery/promises'
import type { RedisSubscriber } from '@celery/redis'
import { asBackendError, isUnavailable } from './redis-link.ts'

/** Channels in one command, so that a look at very many does not hold up the server. */
const CHANNELS_PER_COMMAND = 500
/** Channels that nobody listens to any more are left together, as leaving each costs as much as the call it was for. */
const LEAVE_AFTER_MS = 1_000

export interface KeyWatcherOptions {
  /** Where it listens, with the password masked. */
  readonly address: string
  /** Opens a connection of its own for listening. */
  readonly open: (options: AbortableOptions) => Promise<RedisSubscriber>
  readonly retryPolicy: RetryPolicy
  /** Gets what is published under a watched key, before the watchers are called. */
  readonly onPublished: (key: string, value: Buffer) => void
}

/**
 * Tells of what is published under the watched keys, over one connection that is opened when it is first needed. While
 * somebody watches, a connection that was lost is opened again, however long that takes; what was published meanwhile
 * nobody has heard, so every watcher is then called, and looks for itself.
 */
export class KeyWatcher {
  readonly #options: KeyWatcherOptions
  readonly #closing = new AbortController()
  readonly #listeners = new Map<string, Set<Listener>>()
  #subscriber: Promise<RedisSubscriber> | undefined
  /** The connection that listens, or is about to. */
  #live: RedisSubscriber | undefined
  #restoring = false
  /** Channels that are to be left. */
  readonly #leaving = new Set<string>()
  #leaveTimer: NodeJS.Timeout | undefined

  constructor(options: KeyWatcherOptions) {
    this.#options = options
  }

  /**
   * Resolves when everything that is published from now on is heard. The returned function stops it.
   * @throws BackendUnavailableError when it is still away after the last retry; BackendClosedError
   */
  async watch(
    keys: readonly string[],
    onChange: (key: string) => void,
    options: AbortableOptions = {},
  ): Promise<() => void> {
    const listener: Listener = { onChange }
    for (const key of keys) {
      this.#leaving.delete(key)
      const listeners = this.#listeners.get(key)
      if (listeners === undefined) this.#listeners.set(key, new Set([listener]))
      else listeners.add(listener)
    }
    try {
      await abortable(this.#subscribe(keys, options), options.signal)
    } catch (error) {
      this.#unwatch(keys, listener)
      throw asBackendError(this.#options.address, error)
    }
    return () => this.#unwatch(keys, listener)
  }

  /** Ends every watch and the connection. Safe twice. */
  async close(): Promise<void> {
    this.#closing.abort(new BackendClosedError())
    this.#listeners.clear()
    clearTimeout(this.#leaveTimer)
    const subscriber = await this.#subscriber?.catch(() => undefined)
    await subscriber?.close()
  }

  async #subscribe(keys: readonly string[], options: AbortableOptions): Promise<void> {
    using joined = anySignal(options.signal, this.#closing.signal)
    const { signal } = joined
    const attempt = async (): Promise<void> => subscribeAll(await this.#connected(), keys)
    await retry(attempt, { policy: this.#options.retryPolicy, retryOn: isUnavailable, signal })
  }

  #unwatch(keys: readonly string[], listener: Listener): void {
    for (const key of keys) {
      const listeners = this.#listeners.get(key)
      if (!listeners?.delete(listener) || listeners.size > 0) continue
      this.#listeners.delete(key)
      this.#leaving.add(key)
    }
    if (this.#leaving.size === 0 || this.#closing.signal.aborted) return
    if (this.#leaving.size >= CHANNELS_PER_COMMAND) this.#leave()
    else this.#leaveTimer ??= setTimeout(() => this.#leave(), LEAVE_AFTER_MS).unref()
  }

  #leave(): void {
    clearTimeout(this.#leaveTimer)
    this.#leaveTimer = undefined
    const left = [...this.#leaving]
    this.#leaving.clear()
    // Sent before anything that is asked for later: who watches one of the keys again subscribes after this.
    if (left.length > 0) this.#subscriber?.then((subscriber) => unsubscribeAll(subscriber, left)).catch(() => undefined)
  }

  #connected(): Promise<RedisSubscriber> {
    if (this.#subscriber !== undefined) return this.#subscriber
    const connecting: Promise<RedisSubscriber> = this.#connect().catch((error: unknown) => {
      // Another one may have taken its place when it was lost, before it knew that it had failed.
      if (this.#subscriber === connecting) this.#subscriber = undefined
      throw error
    })
    this.#subscriber = connecting
    return connecting
  }

  async #connect(): Promise<RedisSubscriber> {
    const subscriber = await this.#options.open({ signal: this.#closing.signal })
    this.#live = subscriber
    subscriber.onMessage(({ channel, payload }) => {
      if (!this.#listeners.has(channel)) return
      this.#options.onPublished(channel, payload)
      this.#notify(channel)
    })
    subscriber.closed.catch(() => this.#lost(subscriber))
    try {
      await subscribeAll(subscriber, [...this.#listeners.keys()])
    } catch (error) {
      if (this.#live === subscriber) this.#live = undefined
      await subscriber.close()
      throw error
    }
    return subscriber
  }

  #lost(subscriber: RedisSubscriber): void {
    if (this.#live !== subscriber) return
    this.#live = undefined
    this.#subscriber = undefined
    if (this.#listeners.size > 0) void this.#restore()
  }

  async #restore(): Promise<void> {
    if (this.#restoring) return
    this.#restoring = true
    const { signal } = this.#closing
    const pause = growingPause({ firstMs: 50, longestMs: 1_000 })
    for (let retries = 0; this.#live === undefined && this.#listeners.size > 0 && !signal.aborted; retries += 1) {
      try {
        // Somebody waits for these keys, so the timer keeps the process alive.
        await sleep(pause(retries), { signal })
        await this.#connected()
      } catch (error) {
        // Nobody here can be told. For an outage everybody waits; with anything else they meet when they read.
        if (!isUnavailable(error)) this.#notifyAll()
      }
    }
    this.#restoring = false
    this.#notifyAll()
  }

  #notifyAll(): void {
    for (const key of this.#listeners.keys()) this.#notify(key)
  }

  /** Each in a microtask of its own, so that one that throws keeps no other from its call. */
  #notify(key: string): void {
    const listeners = this.#listeners.get(key)
    for (const listener of listeners ?? []) {
      queueMicrotask(() => {
        if (listeners?.has(listener)) listener.onChange(key)
      })
    }
  }
}

interface Listener {
  readonly onChange: (key: string) => void
}

async function subscribeAll(subscriber: RedisSubscriber, keys: readonly string[]): Promise<void> {
  await Promise.all(inBatches(keys).map((batch) => subscriber.subscribe(...batch)))
}

async function unsubscribeAll(subscriber: RedisSubscriber, keys: readonly string[]): Promise<void> {
  await Promise.all(inBatches(keys).map((batch) => subscriber.unsubscribe(...batch)))
}

function inBatches(keys: readonly string[]): string[][] {
  const batches: string[][] = []
  for (let i = 0; i < keys.length; i += CHANNELS_PER_COMMAND) batches.push(keys.slice(i, i + CHANNELS_PER_COMMAND))
  return batches
}
