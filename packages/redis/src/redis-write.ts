import type { RedisArgument } from './redis-client.ts'

/**
 * A write that its maker hands to somebody else, to run in a script on the same server. `@celery/backend-redis` makes them
 * and `@celery/transport-redis` runs them, so that a result is stored if and only if its message is settled.
 */
export class RedisWrite {
  /**
   * The body of a Lua function with `KEYS` and `ARGV` of its own, which may use `redis.call`. Keep the text constant:
   * whoever runs it makes a script for each text. It must not raise errors once it has written.
   */
  readonly lua: string
  readonly keys: readonly string[]
  readonly args: readonly RedisArgument[]

  constructor(lua: string, keys: readonly string[], args: readonly RedisArgument[]) {
    this.lua = lua
    this.keys = keys
    this.args = args
  }
}
