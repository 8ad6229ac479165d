import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ResultBackend } from '@celery/backend'
import { deferred } from '@celery/promises'
import { isMissing, startRedis, startRedisCluster, startRedisReplication } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'
import { connectTo } from './open-redis-store.ts'

const DEADLINE = 120_000

const success = (taskId: string) => ({ taskId, state: 'SUCCESS', record: '{"status": "SUCCESS", "result": 5}' })

describe.skipIf(isMissing('redis'))('the server that a URL names', { timeout: DEADLINE }, () => {
  test('may be a socket in the file system', async () => {
    await using server = await startRedis({ unixSocket: true })
    for (const scheme of ['redis+socket', 'socket', 'unix']) {
      await using backend = await redis.open(`${scheme}://${server.socketPath}?virtual_host=3`)
      await backend.store([success(scheme)])
    }
    await using client = await connectTo(server.url.replace(/\/0$/, '/3'))
    expect(await client.send('DBSIZE')).toBe(3)
  })

  test('is missed by its name where there is no such socket', async () => {
    const path = join(tmpdir(), 'no-such-folder', 'redis.sock')
    await expect(redis.open(`redis+socket://${path}`, { once: true })).rejects.toMatchObject({
      code: 'ERR_CELERY_BACKEND_UNAVAILABLE',
      message: expect.stringMatching(/no-such-folder.* was not found: check .* the path of the socket/),
    })
  })

  test.skipIf(isMissing('redis', 'openssl'))('is spoken to by TLS', async () => {
    await using server = await startRedis({ tls: true })
    const { certificates, url } = server.tls ?? {}
    if (url === undefined || certificates === undefined) throw new Error('the server has no TLS')
    await using backend = await redis.open(`${url}?ssl_ca_certs=${encodeURIComponent(certificates.authority)}`)
    await backend.store([success('a')])
    await isTold(backend, 'a', () => backend.store([success('b')]), 'b')
    await expect(redis.open(url)).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED', reason: 'certificate' })
  })

  test('is the primary that sentinels name, also after a failover', async () => {
    await using replication = await startRedisReplication({ password: 'planted-secret' })
    const transportOptions = { master_name: replication.masterName, socket_timeout: 2 }
    await using backend = await redis.open(replication.url, { transportOptions })
    await backend.store([success('a')])
    const told = deferred()
    await using _watch = await backend.watch(['b'], () => told.resolve())
    await replication.failover()
    await backend.store([success('b')])
    await told.promise
    expect((await backend.fetch(['b'])).size).toBe(1)
  })

  test('may be a cluster, all keys of which then share a slot', async () => {
    await using cluster = await startRedisCluster({ masters: 3 })
    await using backend = await redis.open(cluster.url)
    await using other = await redis.open(cluster.url)
    const taskIds = Array.from({ length: 20 }, (_, i) => `task-${i}`)
    await backend.store(taskIds.map(success))
    expect((await other.fetch(taskIds)).size).toBe(20)
    await isTold(other, 'new', () => backend.store([success('new')]), 'new')
    await backend.chords?.begin('g', 1)
    const part = { groupId: 'g', taskId: 'a', index: 0, state: 'SUCCESS', member: 'm' }
    expect((await other.chords?.recordPart(part))?.members.map(String)).toEqual(['m'])
    const owner = cluster.ownerOf('{celery}_celery-task-meta-task-0')
    expect(await (await owner).send('GET', '{celery}_celery-task-meta-task-0')).toBe(success('').record)
  })
})

/** Watches both tasks, does something, and resolves when told of the one that it is about. */
async function isTold(backend: ResultBackend, other: string, work: () => Promise<void>, taskId: string): Promise<void> {
  const told = deferred<string>()
  await using _watch = await backend.watch([other, taskId], (id) => told.resolve(id))
  await work()
  expect(await told.promise).toBe(taskId)
}
