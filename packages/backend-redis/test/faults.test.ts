import { inspect } from 'node:util'
import type { OpenBackendOptions, ResultBackend, ResultWrite } from '@celery/backend'
import { deferred } from '@celery/promises'
import { type FaultProxy, isMissing, type RedisServer, startFaultProxy, startRedis } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'

/** The machine may be slow, and a server takes its time to come back. */
const DEADLINE = 60_000

const record = (taskId: string, state = 'SUCCESS'): ResultWrite => ({
  taskId,
  state,
  record: JSON.stringify({ status: state, task_id: taskId }),
})

/** Gives up at once, so that nothing is repeated behind a test's back. */
const impatient: OpenBackendOptions = { transportOptions: { retry_policy: { max_retries: 0 } } }

/** Notices silence within some tenths of a second. */
const nervous = { socket_timeout: 0.4, health_check_interval: 0.2 }

describe.skipIf(isMissing('redis'))('a server that goes away', { timeout: DEADLINE }, () => {
  test('keeps nobody from storing and reading when it is back', async () => {
    await using server = await startRedis({ appendOnly: true })
    await using backend = await redis.open(server.url)
    await backend.store([record('before')])
    await server.kill()
    const storing = backend.store([record('meanwhile')])
    const reading = backend.fetch(['before'])
    await server.restart()
    await storing
    expect((await reading).get('before')?.state).toBe('SUCCESS')
    expect((await backend.fetch(['before', 'meanwhile'])).size).toBe(2)
  })

  test('keeps nobody from the first call either', async () => {
    await using server = await startRedis({ appendOnly: true })
    await server.kill()
    const opening = redis.open(server.url)
    await expect(redis.open(server.url, { once: true })).rejects.toMatchObject({
      code: 'ERR_CELERY_BACKEND_UNAVAILABLE',
    })
    await server.restart()
    await using backend = await opening
    await backend.store([record('first')])
    expect((await backend.fetch(['first'])).get('first')?.state).toBe('SUCCESS')
  })

  test('is not waited for by an opening that was aborted', async () => {
    await using server = await startRedis()
    await server.kill()
    const abort = new AbortController()
    const transportOptions = { retry_policy: { max_retries: null } }
    const opening = redis.open(server.url, { signal: abort.signal, transportOptions })
    abort.abort(new Error('changed my mind'))
    await expect(opening).rejects.toThrow('changed my mind')
  })

  test('is named in the error when it stays away, in every call', async () => {
    await using server = await startRedis({ password: 'planted-secret' })
    await using backend = await redis.open(server.url, impatient)
    await server.kill()
    const calls = [
      () => backend.store([record('a')]),
      () => backend.fetch(['a']),
      () => backend.forget(['a']),
      () => backend.watch(['a'], () => undefined),
      async () => backend.chords?.begin('a', 1),
    ]
    for (const call of calls) {
      const error = await call().then(
        () => undefined,
        (caught: unknown) => caught,
      )
      expect(error).toMatchObject({
        code: 'ERR_CELERY_BACKEND_UNAVAILABLE',
        address: `redis://:**@127.0.0.1:${server.port}/0`,
        cause: { code: 'ERR_CELERY_REDIS_UNAVAILABLE' },
      })
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('planted-secret')
    }
  })

  test('is not waited for by a call that was aborted', async () => {
    await using server = await startRedis()
    await using backend = await redis.open(server.url, { transportOptions: { retry_policy: { max_retries: null } } })
    await server.kill()
    const abort = new AbortController()
    const { signal } = abort
    const calls = [
      backend.fetch(['a'], { signal }),
      backend.store([record('a')], { signal }),
      backend.watch(['a'], () => undefined, { signal }),
    ]
    abort.abort(new Error('changed my mind'))
    for (const call of calls) await expect(call).rejects.toThrow('changed my mind')
  })

  test('is not waited for by closing', async () => {
    await using server = await startRedis()
    const backend = await redis.open(server.url, { transportOptions: { retry_policy: { max_retries: null } } })
    await using _watch = await backend.watch(['a'], () => undefined)
    await server.kill()
    const storing = backend.store([record('a')])
    await backend.close()
    await expect(storing).rejects.toMatchObject({ code: 'ERR_CELERY_BACKEND_CLOSED' })
  })

  test('keeps nobody from hearing what is stored when it is back', async () => {
    await using server = await startRedis({ appendOnly: true })
    await using waiting = await redis.open(server.url)
    await using storing = await redis.open(server.url)
    const seen = seeing(waiting, ['a'])
    await seen.watching
    for (let round = 0; round < 3; round += 1) {
      await server.kill()
      await server.restart()
    }
    await storing.store([record('a')])
    await seen.all
  })

  test('stops for a while, and what waited for its answer is asked again', async () => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    await using backend = await redis.open(proxy.url(server.url), { transportOptions: nervous })
    const seen = seeing(backend, ['a'])
    await seen.watching
    const before = proxy.accepted
    server.pause()
    const storing = backend.store([record('a')])
    // Both connections were given up, and others are tried, while the server still says nothing.
    while (proxy.accepted < before + 2) await new Promise((resolve) => setTimeout(resolve, 10))
    server.resume()
    await storing
    await seen.all
  })
})

describe.skipIf(isMissing('redis'))('a connection that fails', { timeout: DEADLINE }, () => {
  test('hides nothing that is stored meanwhile from whoever watches', async () => {
    await using bed = await startBed()
    const seen = seeing(bed.far, ['a', 'b'])
    await seen.watching
    bed.proxy.refuse()
    bed.proxy.cut()
    await bed.near.store([record('a'), record('b')])
    bed.proxy.restore()
    await seen.all
  })

  test('is noticed when it has only become silent', async () => {
    await using bed = await startBed(nervous)
    const seen = seeing(bed.far, ['a'])
    await seen.watching
    const before = bed.proxy.accepted
    bed.proxy.swallowOpen()
    await bed.near.store([record('a')])
    await seen.all
    // Nobody has told it: the one that listens, and the one that was asked, if any.
    expect(bed.proxy.accepted).toBeGreaterThan(before)
  })

  test('after a write whose answer was lost repeats it, and the first one stays', async () => {
    await using bed = await startBed()
    const cut = bed.proxy.cutReplyTo(/celery-task-meta-a/)
    await bed.far.store([record('a')])
    await cut
    await bed.near.store([record('a', 'FAILURE')])
    expect((await bed.far.fetch(['a'])).get('a')?.state).toBe('SUCCESS')
  })

  test('after the last part of a chord whose answer was lost completes it all the same, once', async () => {
    await using bed = await startBed()
    const [far, near] = [bed.far.chords, bed.near.chords]
    await near?.begin('g', 2)
    const part = { groupId: 'g', state: 'SUCCESS', member: 'm' }
    await near?.recordPart({ ...part, taskId: 'one', index: 0, member: 'first' })
    const cut = bed.proxy.cutReplyTo(/celery-taskset-meta-g/)
    const completion = await far?.recordPart({ ...part, taskId: 'two', index: 1, member: 'second' })
    await cut
    expect(completion?.members.map(String)).toEqual(['first', 'second'])
    await completion?.[Symbol.asyncDispose]()
    expect(await near?.recordPart({ ...part, taskId: 'one', index: 0 })).toBeUndefined()
  })
})

describe.skipIf(isMissing('redis'))('a server that refuses', { timeout: DEADLINE }, () => {
  test('a password says so, and shows none', async () => {
    await using server = await startRedis({ password: 'planted-secret' })
    const error = await redis.open(server.url.replace('planted-secret', 'mistaken-secret')).catch((caught) => caught)
    expect(error).toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED', reason: 'password-wrong' })
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/planted-secret|mistaken-secret/)
  })

  test('a user who may not publish names the right that is missing', async () => {
    await using server = await startRedis({ acl: ['worker on >pw ~* +@all resetchannels'] })
    await using backend = await redis.open(server.url.replace('redis://', 'redis://worker:pw@'), impatient)
    await expect(backend.store([record('a')])).rejects.toMatchObject({
      code: 'ERR_CELERY_REDIS_REFUSED',
      reason: 'permission',
      right: '&<channel>',
    })
    expect((await backend.fetch(['a'])).size).toBe(1)
  })

  test('what is too much for it says so, and takes what frees memory', async () => {
    await using server = await startRedis()
    await using backend = await redis.open(server.url, impatient)
    await backend.store([record('a')])
    await server.send('CONFIG', 'SET', 'maxmemory', '1')
    await expect(backend.store([record('b')])).rejects.toMatchObject({
      code: 'ERR_CELERY_BACKEND_UNAVAILABLE',
      cause: { code: 'ERR_CELERY_REDIS_FULL' },
    })
    expect((await backend.fetch(['a', 'b'])).size).toBe(1)
    await backend.forget(['a'])
    await server.send('CONFIG', 'SET', 'maxmemory', '0')
    await backend.store([record('b')])
    expect((await backend.fetch(['a', 'b'])).size).toBe(1)
  })

  test('has under a task what is no record: it has no state, and gives way', async () => {
    await using server = await startRedis()
    await using backend = await redis.open(server.url)
    await server.send('RPUSH', 'celery-task-meta-list', 'x')
    await server.send('SET', 'celery-task-meta-text', 'x')
    expect((await backend.fetch(['list'])).size).toBe(0)
    expect((await backend.fetch(['text'])).get('text')?.state).toBeUndefined()
    await backend.store([record('list'), record('text')])
    expect((await backend.fetch(['list', 'text'])).size).toBe(2)
  })
})

/** A server with one backend beside it, and one behind a network that can be disturbed. */
interface Bed extends AsyncDisposable {
  readonly proxy: FaultProxy
  readonly near: ResultBackend
  readonly far: ResultBackend
}

async function startBed(transportOptions: Readonly<Record<string, unknown>> = {}): Promise<Bed> {
  const server: RedisServer = await startRedis()
  const proxy = await startFaultProxy(server)
  const near = await redis.open(server.url)
  const far = await redis.open(proxy.url(server.url), { transportOptions })
  return {
    proxy,
    near,
    far,
    async [Symbol.asyncDispose]() {
      await Promise.all([near.close(), far.close()])
      await proxy.close()
      await server.close()
    },
  }
}

test.skipIf(isMissing('redis'))('F-28: a server that throws results away when it is full is told of', async () => {
  await using server = await startRedis()
  await server.send('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu')
  const warned = deferred<string>()
  const note = (warning: Error & { readonly code?: string }): void => {
    if (warning.code === 'CELERY_REDIS_EVICTION') warned.resolve(warning.message)
  }
  process.on('warning', note)
  try {
    await using _backend = await redis.open(server.url)
    expect(await warned.promise).toContain(`127.0.0.1:${server.port}/0 has the maxmemory-policy "allkeys-lfu"`)
  } finally {
    process.off('warning', note)
  }
})

/** What a waiting client does: it watches, and looks when the watch has begun and whenever it is told. */
function seeing(backend: ResultBackend, taskIds: readonly string[]): { watching: Promise<void>; all: Promise<void> } {
  const all = deferred()
  const look = (): void => {
    backend.fetch(taskIds).then(
      (found) => found.size === taskIds.length && all.resolve(),
      () => undefined,
    )
  }
  const watching = backend.watch(taskIds, look).then(look)
  return { watching, all: all.promise }
}
