import { describe, expect, test } from 'vitest'
import { isMissing, startRedisReplication } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('a primary with a replica and sentinels', () => {
  test('replicates, exchanges its primary, and replaces one that dies', async () => {
    await using replication = await startRedisReplication({ password: 'pw', sentinelPassword: 'other' })
    expect(replication.url.match(/sentinel:\/\/:pw@127\.0\.0\.1:\d+\/0/g)).toHaveLength(3)
    const [first, second] = replication.servers
    expect(await replication.primary()).toBe(first)
    await first?.send('SET', 'key', 'value')
    expect(await first?.send('WAIT', '1', '30000')).toBe(1)

    expect(await replication.promote()).toBe(second)
    expect(await second?.send('GET', 'key')).toBe('value')
    await expect(first?.send('SET', 'key', 'other')).rejects.toThrow('READONLY')

    expect(await second?.send('SET', 'key', 'newer')).toBe('OK')
    expect(await second?.send('WAIT', '1', '30000')).toBe(1)
    expect(await replication.failover()).toBe(first)
    expect(await first?.send('GET', 'key')).toBe('newer')
    await expect(second?.send('PING')).rejects.toThrow('ECONNREFUSED')
  }, 120_000)
})
