import { deferred } from '@celery/promises'
import type { Redis } from 'ioredis'
import { discard } from './connect/connect-node.ts'
import type { RedisTarget } from './connect/redis-target.ts'
import { translateError } from './connect/translate-error.ts'
import { RedisUnavailableError } from './errors.ts'
import type { PublishedMessage, RedisSubscriber } from './redis-subscriber.ts'
import { ReplyWatchdog } from './reply-watchdog.ts'

/** `RedisSubscriber` over a connected client of ioredis that is used for nothing else. */
export class IoredisSubscriber implements RedisSubscriber {
  readonly address: string
  readonly closed: Promise<void>
  readonly #client: Redis
  readonly #listeners = new Set<(message: PublishedMessage) => void>()
  readonly #onClosed = deferred()
  readonly #watchdog: ReplyWatchdog
  #waiting = 0
  #end: Error | undefined
  #lastError: Error | undefined
  #closing = false

  constructor(client: Redis, target: RedisTarget) {
    this.#client = client
    this.address = target.address
    this.closed = this.#onClosed.promise
    // Whoever wants to know asks; an ended connection must not end the process of somebody who does not.
    this.closed.catch(() => {})
    client.on('error', (error: Error) => {
      this.#lastError = error
    })
    client.on('end', () => this.#finish(this.#lastError))
    client.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
      this.#receive({ channel: channel.toString(), payload })
    })
    client.on('pmessageBuffer', (pattern: Buffer | string, channel: Buffer, payload: Buffer) => {
      this.#receive({ channel: channel.toString(), pattern: pattern.toString(), payload })
    })
    this.#watchdog = new ReplyWatchdog({
      replyTimeoutMs: target.replyTimeoutMs,
      idleMs: target.healthCheckIntervalMs,
      isWaiting: () => this.#waiting > 0,
      ask: () => {
        this.#run(() => client.ping()).catch(() => {})
      },
      onSilence: () => {
        this.#finish(new RedisUnavailableError(this.address, 'timeout', `${target.replyTimeoutMs} ms`))
        discard(client)
      },
    })
    if (client.status === 'end') this.#finish(undefined)
  }

  async subscribe(...channels: string[]): Promise<void> {
    if (channels.length > 0) await this.#run(() => this.#client.subscribe(...channels))
  }

  async unsubscribe(...channels: string[]): Promise<void> {
    if (channels.length > 0) await this.#run(() => this.#client.unsubscribe(...channels))
  }

  async psubscribe(...patterns: string[]): Promise<void> {
    if (patterns.length > 0) await this.#run(() => this.#client.psubscribe(...patterns))
  }

  async punsubscribe(...patterns: string[]): Promise<void> {
    if (patterns.length > 0) await this.#run(() => this.#client.punsubscribe(...patterns))
  }

  onMessage(run: (message: PublishedMessage) => void): () => void {
    const listener = (message: PublishedMessage): void => run(message)
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.#finish(undefined)
      discard(this.#client)
    }
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #receive(message: PublishedMessage): void {
    this.#watchdog.answered()
    for (const listener of [...this.#listeners]) listener(message)
  }

  async #run(command: () => Promise<unknown>): Promise<void> {
    if (this.#end !== undefined) throw this.#end
    this.#waiting++
    try {
      await command()
      this.#watchdog.answered()
    } catch (error) {
      throw this.#end ?? translateError(this.address, error)
    } finally {
      this.#waiting--
    }
  }

  #finish(error: Error | undefined): void {
    if (this.#end !== undefined) return
    const translated = translateError(this.address, error ?? new Error('Connection is closed.'))
    this.#end = translated
    this.#watchdog.stop()
    if (this.#closing) this.#onClosed.resolve()
    else this.#onClosed.reject(translated)
  }
}
