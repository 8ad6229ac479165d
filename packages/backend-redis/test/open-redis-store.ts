import type { BackendUnderTest } from '@celery/backend/testkit'
import { parseServerUrl } from '@celery/protocol'
import { openRedis, type RedisClient, type RedisScript, RedisWrite, redisScript } from '@celery/redis'
import type { RedisServer } from '@celery/test-servers'
import { redis } from '../src/index.ts'

/** For `startRedis`: a database for each store that a file of tests opens. */
export const manyDatabases: readonly string[] = ['--databases', '1000']

/** A database of its own on `server`. Prepared writes are committed through a connection that is not the store's. */
export async function openRedisStore(server: RedisServer, database: number, user = ''): Promise<BackendUnderTest> {
  const broker = await connectTo(databaseUrl(server, database))
  const url = databaseUrl(server, database).replace('redis://', `redis://${user}`)
  return {
    traits: { durable: true, clock: false, prepares: true, chords: true, shared: true },
    connect: (options) => redis.open(url, options),
    async commit(writes) {
      for (const { statement } of writes) await runWrite(broker, statement)
    },
    async spoil(taskId) {
      await broker.send('SET', `celery-task-meta-${taskId}`, 'not a record')
    },
    [Symbol.asyncDispose]: () => broker.close(),
  }
}

function databaseUrl(server: RedisServer, database: number): string {
  return server.url.replace(/\/0$/, `/${database}`)
}

export function connectTo(url: string): Promise<RedisClient> {
  return openRedis(parseServerUrl(url))
}

/** As a broker does it: the write is a function among others in a script of the broker's. */
async function runWrite(broker: RedisClient, statement: unknown): Promise<void> {
  if (!(statement instanceof RedisWrite)) throw new TypeError('the store prepared something that is no RedisWrite')
  const { args, keys, lua } = statement
  await broker.script(scriptAround(lua), keys, args)
}

function scriptAround(lua: string): RedisScript {
  return redisScript(`local function write(KEYS, ARGV)\n${lua}\nend\nwrite(KEYS, ARGV)`)
}
