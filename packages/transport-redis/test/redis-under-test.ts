import { openRedis, type RedisClient, redisScript } from '@celery/redis'
import type { RedisServer } from '@celery/test-servers'
import { type BrokerConnection, parseBrokerUrl } from '@celery/transport'
import type { BrokerUnderTest } from '@celery/transport/testkit'
import { redis } from '../src/index.ts'

/**
 * Brokers on one server, each with a prefix of its own, and with a clock that can be moved: the times that the server keeps
 * are moved back instead, which is the same.
 */
export function redisUnderTest(
  server: RedisServer,
  { url = server.url, prefix: common = '' }: { readonly url?: string; readonly prefix?: string } = {},
): () => Promise<BrokerUnderTest> {
  let brokers = 0
  return async () => {
    const prefix = `${common}${++brokers}:`
    const address = parseBrokerUrl(url)
    const admin = await openRedis(parseBrokerUrl(server.url))
    let aheadMs = 0
    let connections = 0
    const names = new WeakMap<BrokerConnection, string>()
    const cut = async (connection: BrokerConnection): Promise<void> => {
      const failed = connection.closed.catch(() => {})
      await kill(admin, names.get(connection) ?? '')
      await failed
    }
    return {
      capabilities: redis.capabilities,
      async connect({ leaseMs, session }) {
        const name = `broker-${brokers}-${++connections}`
        const connection = await redis.open(address, {
          leaseMs,
          ...(session === undefined ? {} : { session }),
          // The cases move the clock, and mean that an owner was lost.
          transportOptions: { global_keyprefix: prefix, client_name: name, takeover_grace: 0 },
          now: () => Date.now() + aheadMs,
        })
        names.set(connection, name)
        return connection
      },
      async advance(ms) {
        aheadMs += ms
        await moveTimesBack(admin, prefix, ms)
        // A connection that asks keeps its own lease, so somebody else has to find that it ended, as others of a fleet would.
        await using other = await redis.open(address, {
          transportOptions: { global_keyprefix: prefix, takeover_grace: 0 },
        })
        await other.declareQueue({ name: 'of nobody' })
      },
      crash: cut,
      cut,
      async [Symbol.asyncDispose]() {
        await admin.close()
      },
    }
  }
}

/** Cuts the connections of a client from the side of the server. */
export async function kill(admin: RedisClient, name: string): Promise<void> {
  const clients = String(await admin.send('CLIENT', 'LIST')).split('\n')
  for (const client of clients) {
    const id = /^id=(\d+) .* name=(\S*) /.exec(client)
    if (id?.[2] === name) await admin.send('CLIENT', 'KILL', 'ID', id[1] ?? '')
  }
}

/** Asks the server again and again, which has no event for us; the time of the test ends it. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}

async function moveTimesBack(admin: RedisClient, prefix: string, ms: number): Promise<void> {
  const sets = ['_celery.owners', '_celery.eta', '_celery.used', 'unacked_index'].map((name) => prefix + name)
  await admin.script(moveScript, sets, [ms, prefix])
}

const moveScript = redisScript(`
local ms = tonumber(ARGV[1])
for at, key in ipairs(KEYS) do
  local step = at == #KEYS and ms / 1000 or ms
  for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -step, member) end
end
for _, key in ipairs(redis.call('KEYS', ARGV[2] .. '*')) do
  if redis.call('TYPE', key).ok == 'list' then
    local left = redis.call('PTTL', key)
    if left >= 0 then redis.call('PEXPIRE', key, math.max(left - ms, 0)) end
    if string.sub(key, -5) == '.dead' then
      for at, item in ipairs(redis.call('LRANGE', key, 0, -1)) do
        local time, rest = string.match(item, '^{"at":(%d+)(,.*)$')
        if time then redis.call('LSET', key, at - 1, '{"at":' .. string.format('%.0f', tonumber(time) - ms) .. rest) end
      end
    end
  end
end
`)
