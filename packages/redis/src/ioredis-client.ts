import { type AbortableOptions, CeleryError, deferred } from '@celery/promises'
import { Command, type Redis } from 'ioredis'
import { discard } from './connect/connect-node.ts'
import { openClient } from './connect/open-client.ts'
import type { RedisTarget } from './connect/redis-target.ts'
import { translateError } from './connect/translate-error.ts'
import { type RedisReplyError, RedisUnavailableError } from './errors.ts'
import { Invalidations } from './invalidations.ts'
import { IoredisSubscriber } from './ioredis-subscriber.ts'
import type { RedisArgument, RedisClient, RedisCommand } from './redis-client.ts'
import type { RedisScript } from './redis-script.ts'
import type { RedisSubscriber } from './redis-subscriber.ts'
import { ReplyWatchdog } from './reply-watchdog.ts'

/** `RedisClient` over a connected client of ioredis. */
export class IoredisClient implements RedisClient {
  readonly address: string
  readonly domain: string
  readonly db: number
  readonly keyPrefix: string
  readonly closed: Promise<void>
  readonly #client: Redis
  readonly #target: RedisTarget
  readonly #invalidations = new Invalidations()
  readonly #watchdog: ReplyWatchdog
  readonly #onClosed = deferred()
  /** Commands written and not answered. */
  #waiting = 0
  #corked = false
  #end: RedisUnavailableError | undefined
  /** Why ioredis says that it failed; comes before its `end`. */
  #lastError: Error | undefined
  #closing = false

  constructor(client: Redis, target: RedisTarget) {
    this.#client = client
    this.#target = target
    this.address = target.address
    this.domain = `redis:${target.identity}`
    this.db = target.db
    this.keyPrefix = target.keyPrefix
    this.closed = this.#onClosed.promise
    // Whoever wants to know asks; an ended connection must not end the process of somebody who does not.
    this.closed.catch(() => {})
    client.on('error', (error: Error) => {
      this.#lastError = error
    })
    client.on('end', () => this.#finish(this.#lastError))
    this.#watchdog = new ReplyWatchdog({
      replyTimeoutMs: target.replyTimeoutMs,
      idleMs: target.healthCheckIntervalMs,
      isWaiting: () => this.#waiting > 0,
      ask: () => {
        this.send('PING').catch(() => {})
      },
      onSilence: () => this.#fail(new RedisUnavailableError(this.address, 'timeout', `${target.replyTimeoutMs} ms`)),
    })
    client.stream.on('data', (chunk: Buffer) => this.#invalidations.read(chunk))
    if (client.status === 'end') this.#finish(undefined)
  }

  send(name: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#run(name, args, 'utf8')
  }

  sendBuffer(name: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#run(name, args, null)
  }

  pipeline(commands: readonly RedisCommand[]): Promise<unknown[]> {
    const replies = commands.map(([name, ...args]) => this.#run(name, args, 'utf8').catch((error: unknown) => error))
    return Promise.all(replies)
  }

  script(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[] = []): Promise<unknown> {
    return this.#script(script, keys, args, 'utf8')
  }

  scriptBuffer(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[] = []): Promise<unknown> {
    return this.#script(script, keys, args, null)
  }

  onInvalidation(run: () => void): () => void {
    return this.#invalidations.listen(run)
  }

  async duplicate(options?: AbortableOptions): Promise<RedisClient> {
    const { client } = await openClient(this.#target, options)
    return new IoredisClient(client, this.#target)
  }

  async subscriber(options?: AbortableOptions): Promise<RedisSubscriber> {
    const { client } = await openClient(this.#target, options)
    return new IoredisSubscriber(client, this.#target)
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

  async #script(
    { lua, sha }: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    encoding: 'utf8' | null,
  ): Promise<unknown> {
    try {
      return await this.#run('evalsha', [sha, keys.length, ...keys, ...args], encoding)
    } catch (error) {
      if (!CeleryError.is(error, 'ERR_CELERY_REDIS_REPLY') || (error as RedisReplyError).kind !== 'NOSCRIPT')
        throw error
      return await this.#run('eval', [lua, keys.length, ...keys, ...args], encoding)
    }
  }

  async #run(name: string, args: readonly RedisArgument[], encoding: 'utf8' | null): Promise<unknown> {
    if (this.#end !== undefined) throw this.#end
    this.#cork()
    const command = new Command(name.toLowerCase(), args.map(ioredisArgument), { replyEncoding: encoding })
    this.#waiting++
    try {
      const reply: unknown = await this.#client.sendCommand(command)
      this.#watchdog.answered()
      return reply
    } catch (error) {
      throw this.#translate(error)
    } finally {
      this.#waiting--
    }
  }

  /** What one turn of the event loop sends leaves in one write. */
  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    const { stream } = this.#client
    stream.cork()
    process.nextTick(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  #translate(error: unknown): unknown {
    const translated = translateError(this.address, error)
    if (CeleryError.is(translated, 'ERR_CELERY_REDIS_UNAVAILABLE')) {
      // A server that answers so does so to this connection from now on: a replica, still loading, another node's slot.
      this.#fail(translated as RedisUnavailableError)
      return this.#end ?? translated
    }
    this.#watchdog.answered()
    return translated
  }

  #fail(error: RedisUnavailableError): void {
    if (this.#end !== undefined) return
    this.#finish(error)
    discard(this.#client)
  }

  #finish(error: Error | undefined): void {
    if (this.#end !== undefined) return
    const translated = translateError(this.address, error ?? new Error('Connection is closed.'))
    this.#end = CeleryError.is(translated, 'ERR_CELERY_REDIS_UNAVAILABLE')
      ? (translated as RedisUnavailableError)
      : new RedisUnavailableError(this.address, 'closed', translated.message)
    this.#watchdog.stop()
    if (this.#closing) this.#onClosed.resolve()
    else this.#onClosed.reject(this.#end)
  }
}

function ioredisArgument(argument: RedisArgument): string | number | Buffer {
  if (typeof argument !== 'object' || Buffer.isBuffer(argument)) return argument
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength)
}
