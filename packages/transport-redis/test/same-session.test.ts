/** A program that comes again by the same name. */
import { isMissing, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

describe.skipIf(isMissing('redis'))('a session that begins anew', () => {
  test('P-1: loses nothing of what the one before has parked', async () => {
    const server = await startRedis()
    onTestFinished(() => server.close())
    /** As in a process of its own. */
    const begin = async (): Promise<BrokerConnection> => {
      vi.resetModules()
      const { redis } = await import('../src/index.ts')
      const connection = await redis.open(parseBrokerUrl(server.url), { session: 'same' })
      onTestFinished(() => connection.close())
      return connection
    }
    const before = await begin()
    await before.publish([publication('q', 'parked')])
    const [delivery] = await take(before, 1)
    const untilMs = Date.now() + 3_600_000
    await before.settle([{ delivery: delivery as Delivery, action: { type: 'park', untilMs } }])
    await before.close()
    const after = await begin()
    const bodies = Array.from({ length: 10 }, (_, index) => `new-${index}`)
    await after.publish(bodies.map((body) => publication('q', body)))
    const deliveries = await take(after, 10)
    expect(deliveries.map(readBody)).toEqual(bodies)
    await after.settle(deliveries.map((each) => ({ delivery: each })))
    expect(await after.declareQueue({ name: 'q' })).toMatchObject({ ready: 0, delayed: 1, held: 0 })
    const raw = await (await import('@celery/redis')).openRedis(parseBrokerUrl(server.url))
    onTestFinished(() => raw.close())
    expect(String(await raw.send('HVALS', 'unacked'))).toContain('parked')
  })
})

async function take(connection: BrokerConnection, max: number): Promise<readonly Delivery[]> {
  return await connection.fetch(['q'], { max, signal: AbortSignal.timeout(8_000) })
}
