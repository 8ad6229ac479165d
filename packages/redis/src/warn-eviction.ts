import { CeleryError } from '@celery/promises'
import type { RedisClient } from './redis-client.ts'

const warned = new Set<string>()

/**
 * Says once per process and server that it throws away what it holds when it is full. Asks once; a server that does not tell,
 * or not this user, is left alone. Never rejects.
 */
export async function warnIfEvicting(client: RedisClient): Promise<void> {
  try {
    const policy = /^maxmemory_policy:(\S+)/m.exec(String(await client.send('INFO', 'memory')))?.[1]
    const name = `${client.address} ${policy}`
    if (policy === undefined || policy === 'noeviction' || warned.has(name)) return
    warned.add(name)
    const what = policy.startsWith('volatile-')
      ? 'results, and what keeps a message from coming twice'
      : 'messages and results'
    process.emitWarning(
      `Redis at ${client.address} has the maxmemory-policy "${policy}": when it is full it throws ${what} away without a word; set it to "noeviction"`,
      { code: 'CELERY_REDIS_EVICTION' },
    )
  } catch (error) {
    // That it is away is told by whoever has something to do there.
    if (!CeleryError.is(error)) throw error
  }
}
