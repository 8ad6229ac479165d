import { createHash } from 'node:crypto'

/** A Lua script and the name by which a server knows it. */
export interface RedisScript {
  readonly lua: string
  readonly sha: string
}

/** Make one for each script, once: `const take = redisScript('return …')`. */
export function redisScript(lua: string): RedisScript {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}
