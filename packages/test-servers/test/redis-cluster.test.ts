import { describe, expect, test } from 'vitest'
import { isMissing, startRedisCluster } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('a Redis Cluster', () => {
  test('serves all slots, hands one over, and replaces a master that dies', async () => {
    await using cluster = await startRedisCluster({ replicasPerMaster: 1 })
    expect(cluster.url.split(';')).toHaveLength(6)
    const owner = await cluster.ownerOf('{celery}')
    await owner.send('SET', '{celery}key', 'value')

    const next = await cluster.moveSlot('{celery}')
    expect(next).not.toBe(owner)
    expect(await cluster.ownerOf('{celery}')).toBe(next)
    expect(await next.send('GET', '{celery}key')).toBe('value')
    await expect(owner.send('GET', '{celery}key')).rejects.toThrow('MOVED')
    expect(await next.send('WAIT', '1', '30000')).toBe(1)

    const replica = await cluster.failover('{celery}')
    expect(replica).not.toBe(next)
    expect(await replica.send('GET', '{celery}key')).toBe('value')
    expect(await replica.send('SET', '{celery}key', 'newer')).toBe('OK')
  }, 120_000)

  test('can have a password', async () => {
    await using cluster = await startRedisCluster({ password: 'pw' })
    expect(cluster.url).toMatch(/^redis\+cluster:\/\/:pw@127\.0\.0\.1:\d+;/)
    expect(await (await cluster.ownerOf('key')).send('SET', 'key', 'value')).toBe('OK')
  })
})
