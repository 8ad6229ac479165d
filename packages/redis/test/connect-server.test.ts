import { once } from 'node:events'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { isMissing, startFaultProxy, startRedis, startRedisReplication } from '@celery/test-servers'
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { openClient } from '../src/connect/open-client.ts'
import { readRedisTarget } from '../src/connect/redis-target.ts'
import { translateError } from '../src/connect/translate-error.ts'
import { address } from './connect-address.ts'

/** Opens a connection that closes itself at the end of the scope. */
async function open(
  url: string,
  options?: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): Promise<Redis & AsyncDisposable> {
  const { client } = await openClient(readRedisTarget(address(url), options), { signal })
  return Object.assign(client, {
    async [Symbol.asyncDispose]() {
      client.disconnect()
    },
  })
}

/** `once` of `node:events` would reject with the error that comes before. */
function untilEnded(client: Redis): Promise<void> {
  return new Promise((resolve) => client.once('end', resolve))
}

describe.skipIf(isMissing('redis'))('opening a server', () => {
  test('selects the database, names the connection, and never reconnects by itself', async () => {
    await using redis = await startRedis({ password: 'p w' })
    await using client = await open(redis.url.replace('/0', '/3'), { client_name: 'me' })
    expect(await client.client('INFO')).toMatch(/ name=me .* db=3 .* resp=3/)
    const ended = untilEnded(client)
    await redis.kill()
    await ended
    await redis.restart()
    await expect(client.ping()).rejects.toThrow()
    expect(client.status).toBe('end')
  })

  test('opens a socket in the file system', async () => {
    await using redis = await startRedis({ unixSocket: true })
    await using client = await open(`redis+socket://${redis.socketPath}?virtual_host=2`)
    expect(await client.client('INFO')).toMatch(/ db=2 /)
    await expect(open('unix:///no/such.sock')).rejects.toMatchObject({ reason: 'not-found' })
  })

  test('says that nobody listens, and that a database is not there', async () => {
    await using redis = await startRedis()
    await expect(open(redis.url.replace('/0', '/99'))).rejects.toMatchObject({
      code: 'ERR_CELERY_REDIS_REFUSED',
      reason: 'database',
    })
    await redis.kill()
    await expect(open(redis.url)).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE', reason: 'refused' })
  })

  test('says what is wrong with the password', async () => {
    await using redis = await startRedis({ password: 'right' })
    const url = (credentials: string): string => `redis://${credentials}127.0.0.1:${redis.port}`
    await expect(open(url(''))).rejects.toMatchObject({ reason: 'password-missing' })
    await expect(open(url(':wrong@'))).rejects.toMatchObject({ reason: 'password-wrong' })
    await expect(open(url('nobody:right@'))).rejects.toMatchObject({ reason: 'password-wrong' })
    await using client = await open(url('default:right@'))
    expect(await client.ping()).toBe('PONG')
  })

  test('opens as a user with few rights, and names the one that is missing', async () => {
    await using redis = await startRedis({
      acl: ['alice on >planted ~queue* +ping +lpush +eval', 'guest on nopass ~* +ping'],
    })
    await using client = await open(`redis://alice:planted@127.0.0.1:${redis.port}`)
    expect(await client.lpush('queue', 'x')).toBe(1)
    await using guest = await open(`redis://guest@127.0.0.1:${redis.port}`)
    expect(await guest.ping()).toBe('PONG')
    const failure = async (promise: Promise<unknown>): Promise<Error> =>
      translateError('redis://alice:**@h', await promise.catch((error: unknown) => error))
    expect(await failure(client.get('queue'))).toMatchObject({ reason: 'permission', right: '+get' })
    expect(await failure(client.lpush('other', 'x'))).toMatchObject({ reason: 'permission', right: '~<key>' })
    expect(await failure(client.eval("return redis.call('GET', KEYS[1])", 1, 'queue'))).toMatchObject({
      reason: 'permission',
    })
  })

  test('opens no replica, no Sentinel, and knows a primary that became a replica', async () => {
    await using replication = await startRedisReplication({ sentinels: 1 })
    const [primary, replica] = replication.servers
    await expect(open(replica?.url ?? '')).rejects.toMatchObject({ reason: 'read-only' })
    const sentinel = `redis://127.0.0.1:${replication.sentinels[0]?.port}`
    await expect(open(sentinel)).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED', reason: 'sentinel' })
    await using client = await open(primary?.url ?? '')
    await primary?.send('REPLICAOF', '127.0.0.1', String(replica?.port))
    const refused: unknown = await client.set('key', 'value').catch((error: unknown) => error)
    expect(translateError('redis://h', refused)).toMatchObject({
      code: 'ERR_CELERY_REDIS_UNAVAILABLE',
      reason: 'read-only',
    })
  })

  test('says that a server is loading', async () => {
    await using redis = await startRedis({ appendOnly: true, args: ['--enable-debug-command', 'yes'] })
    // Keys enough to be seen while they are loaded, one by one and slowly.
    await redis.send('EVAL', "for i = 1, 20000 do redis.call('SET', i, i) end", '0')
    await redis.send('CONFIG', 'SET', 'key-load-delay', '200')
    await redis.send('CONFIG', 'SET', 'loading-process-events-interval-bytes', '1024')
    const loading = redis.send('DEBUG', 'LOADAOF').catch(() => 'it was killed')
    const reasons = async (): Promise<string> => {
      for (;;) {
        const error: unknown = await open(redis.url).then(
          (client) => client.disconnect(),
          (reason: unknown) => reason,
        )
        if (typeof error === 'object' && error !== null && 'reason' in error) return String(error.reason)
      }
    }
    expect(await reasons()).toBe('loading')
    await redis.kill()
    expect(await loading).toBe('it was killed')
  })

  test('gives up on a server that does not answer, and when it is told to', async () => {
    await using redis = await startRedis()
    await using proxy = await startFaultProxy(redis)
    proxy.swallow('toClient')
    const url = proxy.url(redis.url)
    await expect(open(url, { socket_connect_timeout: 0.1 })).rejects.toMatchObject({
      code: 'ERR_CELERY_REDIS_UNAVAILABLE',
      reason: 'timeout',
    })
    const stop = new AbortController()
    const opening = open(url, { socket_connect_timeout: 0 }, stop.signal)
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(opening).rejects.toBe(reason)
    proxy.cut()
    expect(proxy.connections).toBe(0)
  })

  test('a command without an answer ends the connection after the reply timeout', async () => {
    await using redis = await startRedis()
    await using proxy = await startFaultProxy(redis)
    await using client = await open(proxy.url(redis.url), { socket_timeout: 1 })
    const ended = untilEnded(client)
    proxy.swallow('toClient')
    const refused: unknown = await client.ping().catch((error: unknown) => error)
    expect(translateError('redis://h', refused)).toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE' })
    await ended
  })

  test('survives slow and sliced streams, and says when the connection is cut in the middle of hello', async () => {
    await using redis = await startRedis({ password: 'pw' })
    await using proxy = await startFaultProxy(redis)
    proxy.latency(20, 20)
    proxy.slice(1)
    await using client = await open(proxy.url(redis.url))
    expect(await client.echo('sliced')).toBe('sliced')
    void proxy.cutOnReply('role')
    await expect(open(proxy.url(redis.url))).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE' })
  })

  test('says when something else listens', async () => {
    const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
    await once(other, 'listening')
    const place = other.address()
    const port = typeof place === 'object' ? place?.port : 0
    await expect(open(`redis://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE' })
    other.close()
  })

  test('shows no password in any error', async () => {
    await using redis = await startRedis({ password: 'right' })
    const port = redis.port
    const attempts = [
      () => open(`redis://:planted@127.0.0.1:${port}`),
      () => open(`redis://me:planted@127.0.0.1:${port}`),
      () => open(`redis://:planted@127.0.0.1:${port}/99`),
      () => open('redis://:planted@127.0.0.1:1'),
      () => open('unix://:planted@/no/such.sock'),
      () => open(`rediss://:planted@127.0.0.1:${port}`, { socket_connect_timeout: 0.3 }),
      () => open(`redis+cluster://:planted@127.0.0.1:${port}`),
      () =>
        open(`sentinel://:planted@127.0.0.1:${port}`, { master_name: 'm', sentinel_kwargs: { password: 'planted' } }),
    ]
    for (const attempt of attempts) {
      const error: unknown = await attempt().then(
        () => 'it opened',
        (reason: unknown) => reason,
      )
      expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_CELERY_/) })
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('planted')
    }
  })
})

describe.skipIf(isMissing('redis', 'openssl'))('opening with TLS', () => {
  test('trusts the authority it was given, and for the host it asked for', async () => {
    await using redis = await startRedis({ tls: true, password: 'pw' })
    const { url, certificates } = redis.tls ?? expect.fail('it has no TLS')
    await using client = await open(url, { ssl_ca_certs: certificates.authority })
    expect(await client.ping()).toBe('PONG')
    await using other = await open(`${url}?ssl_ca_certs=${encodeURIComponent(certificates.authority)}`)
    expect(await other.ping()).toBe('PONG')
    const refused = { code: 'ERR_CELERY_REDIS_REFUSED', reason: 'certificate' }
    await expect(open(url)).rejects.toMatchObject(refused)
    await expect(open(url, { ssl_ca_certs: certificates.otherAuthority })).rejects.toMatchObject(refused)
    const byName = url.replace('127.0.0.1', 'localhost')
    await expect(open(byName, { ssl_ca_certs: certificates.authority })).rejects.toMatchObject(refused)
    await expect(open(url, { ssl_ca_certs: '/no/such/file' })).rejects.toThrow(
      'the file of "ssl_ca_certs" cannot be read',
    )
  })

  test('says which file is of no use, before it connects', async () => {
    await using redis = await startRedis({ tls: true })
    const { certificates } = redis.tls ?? expect.fail('it has no TLS')
    const { authority, certificate, key } = certificates
    const opening = (files: Readonly<Record<string, string>>): Promise<unknown> => open('rediss://127.0.0.1:1', files)
    const invalid = { code: 'ERR_CELERY_INVALID_REDIS_ADDRESS' }
    for (const [files, words] of [
      [{ ssl_ca_certs: key }, '"ssl_ca_certs" holds no certificate'],
      [{ ssl_certfile: key, ssl_keyfile: key }, '"ssl_certfile" holds no certificate'],
      [{ ssl_certfile: certificate, ssl_keyfile: certificate }, '"ssl_keyfile" holds no key, or one with a password'],
      [{ ssl_keyfile: certificate, ssl_password: 'planted' }, '"ssl_keyfile" holds no key that "ssl_password" opens'],
      [{ ssl_certfile: authority, ssl_keyfile: key }, '"ssl_keyfile" is not for the certificate of "ssl_certfile"'],
    ] as const) {
      const failure = await opening(files).catch((error: unknown) => error)
      expect(failure).toMatchObject(invalid)
      expect(String(failure)).toContain(words)
    }
    await expect(opening({ ssl_certfile: certificate, ssl_keyfile: key })).rejects.toMatchObject({ reason: 'refused' })
  })

  test('verifies less only where that is asked for, and warns', async () => {
    await using redis = await startRedis({ tls: true })
    const { url, certificates } = redis.tls ?? expect.fail('it has no TLS')
    const warnings: string[] = []
    const listener = (warning: Error): void => {
      warnings.push(warning.message)
    }
    process.on('warning', listener)
    const byName = url.replace('127.0.0.1', 'localhost')
    await using named = await open(byName, { ssl_ca_certs: certificates.authority, ssl_check_hostname: false })
    await using blind = await open(url, { ssl_cert_reqs: 'none' })
    await using again = await open(url, { ssl_cert_reqs: 'none' })
    for (const client of [named, blind, again]) expect(await client.ping()).toBe('PONG')
    process.off('warning', listener)
    expect(warnings.map((text) => /"ssl_\w+"/.exec(text)?.[0])).toEqual(['"ssl_check_hostname"', '"ssl_cert_reqs"'])
  })

  test('says when the port may have no TLS, and how to do without', async () => {
    await using redis = await startRedis()
    const opening = (scheme: string, ssl?: boolean): Promise<unknown> =>
      open(redis.url.replace('redis:', scheme), { socket_connect_timeout: 0.3, ssl })
    const silent = { code: 'ERR_CELERY_REDIS_UNAVAILABLE', reason: 'timeout' }
    for (const [scheme, ssl, remedy] of [
      ['rediss:', undefined, 'write redis://'],
      ['rediss+cluster:', undefined, 'write redis+cluster://'],
      ['redis:', true, 'leave out "ssl"'],
    ] as const) {
      const failure = await opening(scheme, ssl).catch((error: unknown) => error)
      expect(failure).toMatchObject(silent)
      expect(String(failure)).toContain(`a port without TLS would be as silent: for one, ${remedy}`)
    }
  })

  test('says when the port may want TLS, and how to write that', async () => {
    await using redis = await startRedis({ tls: true, password: 'planted' })
    const place = `:planted@127.0.0.1:${redis.tls?.port}`
    const closed = { code: 'ERR_CELERY_REDIS_UNAVAILABLE', reason: 'closed' }
    for (const [url, remedy] of [
      [`redis://${place}/0`, 'write rediss://'],
      [`redis+cluster://${place}`, 'write rediss+cluster://'],
      [`sentinel://${place}?master_name=m`, 'set "ssl", or that in "sentinel_kwargs"'],
    ] as const) {
      const failure = await open(url).catch((error: unknown) => error)
      expect(failure).toMatchObject(closed)
      expect(String(failure)).toContain(`a port with TLS would do that: for one, ${remedy}`)
      expect(inspect(failure)).not.toContain('planted')
    }
  })

  test('says nothing of TLS where a connection is closed that was open', async () => {
    await using redis = await startRedis()
    await using proxy = await startFaultProxy(redis)
    await using client = await open(proxy.url(redis.url))
    const waiting = client.blpop('nothing', 0).catch((error: unknown) => error)
    proxy.cut()
    const failure = translateError('redis://h', await waiting)
    expect(failure).toMatchObject({ reason: 'closed' })
    expect(failure.message).not.toContain('TLS')
  })
})
