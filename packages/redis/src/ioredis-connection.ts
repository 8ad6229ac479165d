import { CeleryError, deferred } from '@celery/promises'
import type { Redis } from 'ioredis'
import { discard } from './connect/connect-node.ts'
import type { RedisTarget } from './connect/redis-target.ts'
import { translateError } from './connect/translate-error.ts'
import { RedisUnavailableError } from './errors.ts'
import { ReplyWatchdog } from './reply-watchdog.ts'
import { movementOf } from './socket-movement.ts'

/** The life of a connected client of ioredis, from the first command to its end. */
export class IoredisConnection {
  readonly address: string
  readonly closed: Promise<void>
  readonly #client: Redis
  readonly #watchdog: ReplyWatchdog
  readonly #onClosed = deferred()
  /** Commands written and not answered. */
  #waiting = 0
  #end: RedisUnavailableError | undefined
  /** Why ioredis says that it failed; comes before its `end`. */
  #lastError: Error | undefined
  #closing = false
  // Made once, not for each command.
  readonly #answered = (reply: unknown): unknown => {
    this.#waiting--
    return reply
  }
  readonly #refused = (error: unknown): never => {
    throw this.#failed(error)
  }

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
    // Has watched the handshake. Its timer for each answer would also end a connection because this process stood still.
    Object.assign(client.options, { socketTimeout: undefined })
    this.#watchdog = new ReplyWatchdog({
      replyTimeoutMs: target.replyTimeoutMs,
      idleMs: target.healthCheckIntervalMs,
      isWaiting: () => this.#waiting > 0,
      hasMoved: movementOf(client.stream),
      ask: () => {
        this.answer(client.ping()).catch(() => {})
      },
      onSilence: () => this.#fail(new RedisUnavailableError(this.address, 'timeout', `${target.replyTimeoutMs} ms`)),
    })
    if (client.status === 'end') this.#finish(undefined)
  }

  /** Why no command can be sent any more. */
  get end(): RedisUnavailableError | undefined {
    return this.#end
  }

  /**
   * Settles as the answer to a command that was sent just now, with the error that callers handle.
   * @param recover - What to do instead where it was refused.
   */
  answer(reply: Promise<unknown>, recover?: (error: unknown) => unknown): Promise<unknown> {
    this.#waiting++
    if (recover === undefined) return reply.then(this.#answered, this.#refused)
    return reply.then(this.#answered, (error: unknown) => recover(this.#failed(error)))
  }

  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.#finish(undefined)
      discard(this.#client)
    }
    return Promise.resolve()
  }

  /** What a command is told that failed. */
  #failed(error: unknown): unknown {
    this.#waiting--
    const translated = translateError(this.address, error)
    if (CeleryError.is(translated, 'ERR_CELERY_REDIS_UNAVAILABLE')) {
      // A server that answers so does so to this connection from now on: a replica, still loading, another node's slot.
      this.#fail(translated as RedisUnavailableError)
      return this.#end ?? translated
    }
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
