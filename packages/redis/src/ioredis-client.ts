import { type AbortableOptions, CeleryError } from '@celery/promises'
import { Command, type Redis } from 'ioredis'
import { openClient } from './connect/open-client.ts'
import type { RedisTarget } from './connect/redis-target.ts'
import type { RedisReplyError } from './errors.ts'
import { Invalidations } from './invalidations.ts'
import { IoredisConnection } from './ioredis-connection.ts'
import { IoredisSubscriber } from './ioredis-subscriber.ts'
import type { RedisArgument, RedisClient, RedisCommand } from './redis-client.ts'
import type { RedisScript } from './redis-script.ts'
import type { RedisSubscriber } from './redis-subscriber.ts'

/** `RedisClient` over a connected client of ioredis. */
export class IoredisClient implements RedisClient {
  readonly address: string
  readonly domain: string
  readonly db: number
  readonly keyPrefix: string
  readonly closed: Promise<void>
  readonly #client: Redis
  readonly #target: RedisTarget
  readonly #connection: IoredisConnection
  readonly #invalidations = new Invalidations()
  #corked = false
  readonly #uncork = (): void => {
    this.#corked = false
    this.#client.stream.uncork()
  }

  constructor(client: Redis, target: RedisTarget) {
    this.#client = client
    this.#target = target
    this.address = target.address
    this.domain = `redis:${target.identity}`
    this.db = target.db
    this.keyPrefix = target.keyPrefix
    this.#connection = new IoredisConnection(client, target)
    this.closed = this.#connection.closed
    client.stream.on('data', (chunk: Buffer) => this.#invalidations.read(chunk))
  }

  send(name: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#run(name, args, 'utf8')
  }

  sendBuffer(name: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#run(name, args, null)
  }

  pipeline(commands: readonly RedisCommand[]): Promise<unknown[]> {
    const replies = commands.map(([name, ...args]) => this.#run(name, args, 'utf8', asReply))
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
    return this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #script(
    { lua, sha }: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    encoding: 'utf8' | null,
  ): Promise<unknown> {
    return this.#run('evalsha', [sha, keys.length, ...keys, ...args], encoding, (error) => {
      if (!CeleryError.is(error, 'ERR_CELERY_REDIS_REPLY') || (error as RedisReplyError).kind !== 'NOSCRIPT')
        throw error
      return this.#run('eval', [lua, keys.length, ...keys, ...args], encoding)
    })
  }

  /** @param recover - What to do instead where it was refused. */
  #run(
    name: string,
    args: readonly RedisArgument[],
    encoding: 'utf8' | null,
    recover?: (error: unknown) => unknown,
  ): Promise<unknown> {
    const { end } = this.#connection
    if (end !== undefined) return recover === asReply ? Promise.resolve(end) : Promise.reject(end)
    this.#cork()
    const command = new Command(name.toLowerCase(), ioredisArguments(args), { replyEncoding: encoding })
    return this.#connection.answer(this.#client.sendCommand(command) as Promise<unknown>, recover)
  }

  /** What one turn of the event loop sends leaves in one write. */
  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#client.stream.cork()
    process.nextTick(this.#uncork)
  }
}

/** In a pipeline an error stands in the place of a reply. */
function asReply(error: unknown): unknown {
  return error
}

type IoredisArgument = string | number | Buffer

/** As they are, where there is nothing but text, numbers and Buffers. */
function ioredisArguments(args: readonly RedisArgument[]): IoredisArgument[] {
  return args.every(isIoredisArgument) ? (args as IoredisArgument[]) : args.map(ioredisArgument)
}

function isIoredisArgument(argument: RedisArgument): argument is IoredisArgument {
  return typeof argument !== 'object' || Buffer.isBuffer(argument)
}

function ioredisArgument(argument: RedisArgument): IoredisArgument {
  if (isIoredisArgument(argument)) return argument
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength)
}
