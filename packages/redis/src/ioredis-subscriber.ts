import type { Redis } from 'ioredis'
import type { RedisTarget } from './connect/redis-target.ts'
import { IoredisConnection } from './ioredis-connection.ts'
import type { PublishedMessage, RedisSubscriber } from './redis-subscriber.ts'

/** `RedisSubscriber` over a connected client of ioredis that is used for nothing else. */
export class IoredisSubscriber implements RedisSubscriber {
  readonly address: string
  readonly closed: Promise<void>
  readonly #client: Redis
  readonly #connection: IoredisConnection
  readonly #listeners = new Set<(message: PublishedMessage) => void>()

  constructor(client: Redis, target: RedisTarget) {
    this.#client = client
    this.address = target.address
    this.#connection = new IoredisConnection(client, target)
    this.closed = this.#connection.closed
    client.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
      this.#receive({ channel: channel.toString(), payload })
    })
    client.on('pmessageBuffer', (pattern: Buffer | string, channel: Buffer, payload: Buffer) => {
      this.#receive({ channel: channel.toString(), pattern: pattern.toString(), payload })
    })
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
    return this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #receive(message: PublishedMessage): void {
    for (const listener of [...this.#listeners]) listener(message)
  }

  async #run(command: () => Promise<unknown>): Promise<void> {
    if (this.#connection.end !== undefined) throw this.#connection.end
    await this.#connection.answer(command())
  }
}
