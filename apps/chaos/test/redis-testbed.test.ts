import { isMissing } from '@celery/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openRedisTestbed } from '../src/testbed/redis-testbed.ts'
import type { Network, Place, Testbed } from '../src/testbed/testbed.ts'

describe.skipIf(isMissing('redis'))('the testbed on Redis', () => {
  let testbed: Testbed
  let network: Network
  let worker: Redis

  beforeAll(async () => {
    testbed = await openRedisTestbed({ topology: 'single', workers: 1, random: () => 0 })
    if (testbed.network === undefined) throw new Error('Redis has a network')
    network = testbed.network
  })
  beforeEach(async () => {
    worker = open('worker-0')
    await worker.flushall()
    return () => worker.disconnect()
  })
  afterAll(() => testbed[Symbol.asyncDispose]())

  function open(place: Place): Redis {
    const redis = new Redis(testbed.addresses(place).broker, { retryStrategy: null, maxRetriesPerRequest: 0 })
    redis.on('error', () => {})
    return redis
  }

  /** As the transport leaves it when it has delivered a message. */
  async function deliver(task: string, session: string, tag: string): Promise<void> {
    await worker.hset('unacked', tag, `[${envelope(task)}, "", "celery"]`)
    await worker.zadd('unacked_index', 1, tag)
    await worker.sadd(`_celery.held.${session}`, tag)
  }

  test('tells where each message is', async () => {
    await worker.lpush('celery', envelope('ready'))
    await worker.lpush('celery\u0006\u00163', envelope('less-urgent'))
    await worker.lpush('celery.dead', `{"at":1,"reason":"too often","payload":${envelope('dead')}}`)
    await deliver('held', 's1', 's1.1')
    await worker.hset('unacked', 'p1', `[${envelope('parked')}, "", "celery"]`)
    await worker.zadd('_celery.eta', 9, 'p1')
    const messages = await testbed.messages()
    expect(new Map(messages.map(({ task, ...rest }) => [task, rest]))).toEqual(
      new Map([
        ['ready', { place: 'ready' }],
        ['less-urgent', { place: 'ready' }],
        ['dead', { place: 'dead', reason: 'too often' }],
        ['held', { place: 'held' }],
        ['parked', { place: 'delayed' }],
      ]),
    )
  })

  test('tells what sessions hold', async () => {
    await deliver('a', 's1', 's1.1')
    await deliver('b', 's2', 's2.1')
    await deliver('c', 's3', 's3.1')
    expect(await testbed.heldBy(['s1', 's3', 's4'])).toEqual(['a', 'c'])
    expect(await testbed.heldBy([])).toEqual([])
  })

  test('reads results', async () => {
    await worker.set('celery-task-meta-a', JSON.stringify({ status: 'SUCCESS', result: 'attempt-1' }))
    await worker.set(
      'celery-task-meta-b',
      JSON.stringify({ status: 'FAILURE', result: { exc_type: 'Error', exc_message: ['no such thing'] } }),
    )
    const results = await testbed.results(['a', 'b', 'c'])
    expect(Object.fromEntries(results)).toEqual({
      a: { state: 'SUCCESS', attempt: 'attempt-1' },
      b: { state: 'FAILURE', attempt: undefined, error: 'Error: no such thing' },
    })
  })

  test('finds nothing wrong with an empty broker, and what was left behind', async () => {
    expect(await testbed.integrity()).toEqual([])
    await deliver('a', 's1', 's1.1')
    await worker.srem('_celery.held.s1', 's1.1')
    await worker.sadd('_celery.held.s1', 's1.2')
    await worker.zrem('unacked_index', 's1.1')
    await worker.zadd('_celery.owners', 1, 's1')
    await worker.hset('_celery.epoch', 's1', 1)
    expect(await testbed.integrity()).toEqual([
      'unacked_index does not name s1.1, which is in unacked',
      '_celery.held.s1 names s1.2, which is not in unacked',
      'nobody holds s1.1, which is in unacked',
      '_celery.owners is left though everybody has gone',
      '_celery.epoch is left though everybody has gone',
      '_celery.held.s1 is left though everybody has gone',
    ])
  })

  test('a crash keeps what was answered, and lets nobody in before it was looked at', async () => {
    await deliver('a', 's1', 's1.1')
    const other = open('client')
    await other.ping()
    const ended = new Promise((resolve) => worker.once('end', resolve))
    const otherEnded = new Promise((resolve) => other.once('end', resolve))
    let seen: readonly string[] = []
    const before = Date.now()
    const backTime = await network.crash(0, async () => {
      seen = await testbed.heldBy(['s1'])
      const early = open('worker-0')
      await expect(early.ping()).rejects.toThrow()
    })
    expect(seen).toEqual(['a'])
    expect(backTime).toBeGreaterThanOrEqual(before)
    await Promise.all([ended, otherEnded])
    const again = open('worker-0')
    expect(await again.hlen('unacked')).toBe(1)
    again.disconnect()
  })

  test.each(['close', 'reset', 'swallow'] as const)('cuts all connections of one process (%s)', async (how) => {
    const [second, other] = [open('worker-0'), open('client')]
    await Promise.all([worker.ping(), second.ping(), other.ping()])
    const ended = Promise.all([worker, second].map((redis) => new Promise((resolve) => redis.once('end', resolve))))
    let looked = 0
    const times = await network.cut('worker-0', { how, all: true }, async () => {
      looked++
    })
    expect(looked).toBe(1)
    expect(times?.endTime).toBeGreaterThanOrEqual(times?.time ?? Number.POSITIVE_INFINITY)
    await ended
    expect(await other.ping()).toBe('PONG')
    other.disconnect()
  })

  test('cuts a connection at a reply that carries messages, which the server has given', async () => {
    await worker.lpush('celery', envelope('a'))
    const second = open('worker-0')
    await second.ping()
    const cut = network.cut('worker-0', { how: 'delivery', all: false }, async () => {})
    expect(await worker.llen('celery')).toBe(1)
    await expect(worker.rpop('celery')).rejects.toThrow()
    expect(await cut).toBeDefined()
    expect(await second.llen('celery')).toBe(0)
    second.disconnect()
  })

  test('cuts a connection at the answer to a publish, which the server has taken', async () => {
    const cut = network.cut('worker-0', { how: 'publish', all: true }, async () => {})
    expect(await worker.llen('celery')).toBe(0)
    await expect(worker.lpush('celery', envelope('a'))).rejects.toThrow()
    expect(await cut).toBeDefined()
    expect(await testbed.messages()).toEqual([{ task: 'a', place: 'ready' }])
  })

  test('has nothing to cut where nobody is connected', async () => {
    expect(await network.cut('client', { how: 'close', all: true }, async () => {})).toBeUndefined()
  })

  test('can do what the seeded bugs need', async () => {
    await deliver('a', 's1', 's1.1')
    await testbed.copyHeld('a')
    expect((await testbed.messages()).map(({ place }) => place).sort()).toEqual(['held', 'ready'])
    await network.dropHeld('a')
    expect(await testbed.messages()).toEqual([{ task: 'a', place: 'ready' }])
    await testbed.overwriteResult('a', JSON.stringify({ status: 'SUCCESS', result: 'x' }))
    expect((await testbed.results(['a'])).get('a')).toEqual({ state: 'SUCCESS', attempt: 'x' })
  })
})

function envelope(task: string): string {
  return JSON.stringify({ body: 'W10=', 'content-type': 'application/json', headers: { id: task } })
}
