import { isMissing, startFaultProxy, startRedisCluster, startRedisReplication } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { type OpenedClient, openClient } from '../src/connect/open-client.ts'
import { readRedisTarget } from '../src/connect/redis-target.ts'
import { translateError } from '../src/connect/translate-error.ts'
import { address } from './connect-address.ts'

function open(url: string, options?: Readonly<Record<string, unknown>>): Promise<OpenedClient> {
  return openClient(readRedisTarget(address(url), options))
}

/** As whoever holds a connection does, until another one can be had. */
async function openAgain(url: string, options?: Readonly<Record<string, unknown>>): Promise<OpenedClient> {
  for (;;) {
    try {
      return await open(url, options)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE' })
    }
  }
}

/** `once` of `node:events` would reject with the error that comes before. */
function untilEnded({ client }: OpenedClient): Promise<void> {
  return new Promise((resolve) => client.once('end', resolve))
}

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  return translateError('redis://h', await promise.catch((error: unknown) => error))
}

describe.skipIf(isMissing('redis'))('with sentinels', () => {
  test('opens the primary, after a failover the new one, and believes no minority', async () => {
    await using replication = await startRedisReplication({ password: 'pw', sentinelPassword: 'other' })
    const { url, servers, sentinels } = replication
    const options = {
      master_name: replication.masterName,
      min_other_sentinels: 2,
      sentinel_kwargs: { password: 'other' },
    }
    const first = await open(`${url.split(';')[0]?.replace('/0', '/2')};${url.split(';').slice(1).join(';')}`, options)
    expect(first.node).toBe(`127.0.0.1:${servers[0]?.port}`)
    expect(await first.client.client('INFO')).toMatch(/ db=2 /)

    await expect(open(url, { ...options, master_name: 'unknown' })).rejects.toMatchObject({ reason: 'no-master' })
    await expect(open(url, { ...options, min_other_sentinels: 3 })).rejects.toThrow('"min_other_sentinels" is 3')
    await expect(open(url, { ...options, sentinel_kwargs: {} })).rejects.toMatchObject({
      code: 'ERR_CELERY_REDIS_REFUSED',
      reason: 'password-missing',
    })

    const promoted = await replication.promote()
    expect(await failureOf(first.client.set('key', 'value'))).toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE' })
    const second = await openAgain(url, options)
    expect(second.node).toBe(`127.0.0.1:${promoted.port}`)
    expect(await second.client.set('key', 'value')).toBe('OK')

    const ended = untilEnded(second)
    const survivor = await replication.failover()
    await ended
    // One sentinel is gone, another one is silent: what the third says is enough, as the server itself says that it is primary.
    await sentinels[0]?.kill()
    sentinels[1]?.pause()
    const third = await openAgain(url, { ...options, socket_connect_timeout: 1 })
    expect(third.node).toBe(`127.0.0.1:${survivor.port}`)
    for (const { client } of [first, second, third]) client.disconnect()
  }, 120_000)

  test('believes the one that knows of the latest failover, where they do not agree', async () => {
    await using stale = await startRedisReplication({ sentinels: 1 })
    await using fresh = await startRedisReplication({ sentinels: 1 })
    const promoted = await fresh.promote()
    const { client, node } = await open(`${stale.url};${fresh.url}`, { master_name: stale.masterName })
    expect(node).toBe(`127.0.0.1:${promoted.port}`)
    client.disconnect()
    // What it knows is of no use when the server says that it is a replica now.
    await promoted.send('REPLICAOF', '127.0.0.1', '1')
    const other = await open(`${stale.url};${fresh.url}`, { master_name: stale.masterName })
    expect(other.node).toBe(`127.0.0.1:${stale.servers[0]?.port}`)
    other.client.disconnect()
  }, 60_000)
})

describe.skipIf(isMissing('redis'))('with a cluster', () => {
  test('opens the owner of the slot, and after a failover or a move the new one', async () => {
    await using cluster = await startRedisCluster({ replicasPerMaster: 1, password: 'pw' })
    const owner = await cluster.ownerOf('{celery}')
    const first = await open(cluster.url)
    expect(first.node).toBe(`127.0.0.1:${owner.port}`)
    expect(await first.client.mset('{celery}a', '1', '{celery}b', '2')).toBe('OK')
    expect(await failureOf(first.client.mset('a', '1', 'b', '2'))).toMatchObject({ reason: 'cross-slot' })

    const moved = await cluster.moveSlot('{celery}')
    expect(await failureOf(first.client.get('{celery}a'))).toMatchObject({
      code: 'ERR_CELERY_REDIS_UNAVAILABLE',
      reason: 'moved',
    })
    const second = await openAgain(cluster.url)
    expect(second.node).toBe(`127.0.0.1:${moved.port}`)
    expect(await second.client.mget('{celery}a', '{celery}b')).toEqual(['1', '2'])
    expect(await second.client.wait(1, 30_000)).toBe(1)

    const ended = untilEnded(second)
    const replica = await cluster.failover('{celery}')
    await ended
    const third = await openAgain(cluster.url)
    expect(third.node).toBe(`127.0.0.1:${replica.port}`)
    expect(await third.client.mget('{celery}a', '{celery}b')).toEqual(['1', '2'])
    for (const { client } of [first, second, third]) client.disconnect()
  }, 120_000)

  test('opens it by redis:// too where a prefix keeps the keys together, and says so where none does', async () => {
    await using cluster = await startRedisCluster()
    const owner = await cluster.ownerOf('{app}')
    const other = cluster.nodes.find((node) => node !== owner)
    const { client, node } = await open(other?.url ?? '', { global_keyprefix: '{app}:' })
    expect(node).toBe(`127.0.0.1:${owner.port}`)
    client.disconnect()
    await expect(open(other?.url ?? '')).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED', reason: 'cluster' })
    await expect(open(`${other?.url.replace('/0', '/1')}`, { global_keyprefix: '{app}:' })).rejects.toMatchObject({
      reason: 'database',
    })
    // The first node cannot be reached; the next one knows as well.
    await using proxy = await startFaultProxy(owner)
    await proxy.refuse()
    const again = await open(`redis+cluster://127.0.0.1:${proxy.port};${cluster.url}`, { global_keyprefix: '{app}:' })
    expect(again.node).toBe(`127.0.0.1:${owner.port}`)
    again.client.disconnect()
    await owner.kill()
    await expect(open(cluster.url, { global_keyprefix: '{app}:' })).rejects.toMatchObject({
      code: 'ERR_CELERY_REDIS_UNAVAILABLE',
    })
  }, 60_000)
})
