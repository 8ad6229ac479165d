import type { AbortableOptions } from '@celery/promises'
import type { RedisScript } from './redis-script.ts'
import type { RedisSubscriber } from './redis-subscriber.ts'

export type RedisArgument = string | Uint8Array | number

/** A command and its arguments. */
export type RedisCommand = readonly [name: string, ...args: RedisArgument[]]

/**
 * One connection to a Redis server, or to a cluster. It never connects again by itself: when it fails, everything that
 * waits rejects, `closed` rejects, and whoever owns it opens another one.
 *
 * Commands are written in the order of the calls, those of one turn of the event loop together. Replies are `unknown`:
 * decode them where they are used. Every operation rejects with `RedisUnavailableError`, `RedisFullError` or
 * `RedisRefusedError`, or with the server's own error where the command itself was wrong.
 */
export interface RedisClient extends AsyncDisposable {
  /** The server's address with the password masked. */
  readonly address: string
  /** Equal for connections to the same data: server and database. Says nothing secret. */
  readonly domain: string
  /** Number of the database. */
  readonly db: number
  /** Stands before every key: `global_keyprefix`, with a hash tag where the server belongs to a cluster. */
  readonly keyPrefix: string
  /** Resolves after `close()`, rejects with `RedisUnavailableError` if the connection has failed. */
  readonly closed: Promise<void>
  /** Strings in the reply come as text; what is no UTF-8 in them is replaced. */
  send(name: string, ...args: RedisArgument[]): Promise<unknown>
  /** Strings in the reply come as `Buffer`s. */
  sendBuffer(name: string, ...args: RedisArgument[]): Promise<unknown>
  /** Sends all at once and resolves to the replies in their order, an `Error` in place of one that failed. */
  pipeline(commands: readonly RedisCommand[]): Promise<unknown[]>
  /** Runs a script by its name, and hands its text to a server that does not know it. */
  script(script: RedisScript, keys: readonly string[], args?: readonly RedisArgument[]): Promise<unknown>
  /** As `script`, with `Buffer`s in the reply. */
  scriptBuffer(script: RedisScript, keys: readonly string[], args?: readonly RedisArgument[]): Promise<unknown>
  /**
   * Calls `run` whenever the server says that a key changed which this connection has read under `CLIENT TRACKING ON`, and
   * sometimes without a reason. Returns how to stop.
   */
  onInvalidation(run: () => void): () => void
  /** Opens another connection to the same place. */
  duplicate(options?: AbortableOptions): Promise<RedisClient>
  /** Opens another connection to the same place, to receive what is published there. */
  subscriber(options?: AbortableOptions): Promise<RedisSubscriber>
  /** Ends the connection. What still waits for a reply rejects. Safe twice. */
  close(): Promise<void>
}
