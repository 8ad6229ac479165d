import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { openRedis, warnIfEvicting } from '../src/index.ts'
import { address } from './connect-address.ts'

describe.skipIf(isMissing('redis'))('F-28: what a full server does', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())

  /** What is said of a server with this policy, by two connections. */
  async function told(policy: string, url = server.url): Promise<readonly string[]> {
    await server.send('CONFIG', 'SET', 'maxmemory-policy', policy)
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => emit.mockRestore())
    for (let connections = 0; connections < 2; connections++) {
      await using client = await openRedis(address(url))
      await warnIfEvicting(client)
    }
    return emit.mock.calls.map(([text]) => String(text))
  }

  test.each([
    ['allkeys-lru', 'throws messages and results away'],
    ['volatile-ttl', 'throws results, and what keeps a message from coming twice away'],
  ])('is told once where it throws things away: %s', async (policy, text) => {
    expect(await told(policy)).toEqual([expect.stringContaining(`"${policy}": when it is full it ${text}`)])
  })

  test('is no news where it refuses what it has no room for', async () => {
    expect(await told('noeviction')).toEqual([])
  })

  test('is not asked of a server that may not tell, or that is gone', async () => {
    await server.send('ACL', 'SETUSER', 'plain', 'on', '>pw', '~*', '+@all', '-info')
    expect(await told('allkeys-random', server.url.replace('redis://', 'redis://plain:pw@'))).toEqual([])
    const client = await openRedis(address(server.url))
    await client.close()
    await warnIfEvicting(client)
  })
})
