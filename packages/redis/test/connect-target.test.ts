import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { RedisTarget, readRedisTarget } from '../src/connect/redis-target.ts'
import { address } from './connect-address.ts'

function data(url: string, options?: Readonly<Record<string, unknown>>): ReturnType<RedisTarget['toData']> {
  return readRedisTarget(address(url), options).toData()
}

describe('a target', () => {
  test.each([
    ['redis://', { nodes: [{ host: '127.0.0.1', port: 6379 }], db: 0, tls: undefined, kind: 'server' }],
    ['redis://h:1/3', { nodes: [{ host: 'h', port: 1 }], db: 3 }],
    ['redis://h?virtual_host=4', { db: 4 }],
    ['redis://h?db=/5', { db: 5 }],
    ['redis://me:pw@h', { username: 'me', password: 'pw' }],
    ['redis://:pw@h', { username: undefined, password: 'pw' }],
    ['rediss://h', { tls: { verifyCertificate: true, verifyHostName: true } }],
    [
      'rediss://h?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs=/ca.pem',
      { tls: { verifyCertificate: true, verifyHostName: true, authorityFile: '/ca.pem' } },
    ],
    ['rediss://h?ssl_cert_reqs=none', { tls: { verifyCertificate: false, verifyHostName: false } }],
    ['rediss://h?ssl_check_hostname=false', { tls: { verifyCertificate: true, verifyHostName: false } }],
    ['redis+socket:///run/redis.sock?virtual_host=2', { nodes: [{ path: '/run/redis.sock' }], db: 2 }],
    ['socket:///run/redis.sock', { nodes: [{ path: '/run/redis.sock' }], db: 0 }],
    ['unix:///run/redis.sock?db=1', { nodes: [{ path: '/run/redis.sock' }], db: 1 }],
    [
      'redis+cluster://a:1;redis+cluster://b',
      {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 6379 },
        ],
        keyPrefix: '{celery}',
      },
    ],
    [
      'redis://h?socket_timeout=2.5&socket_connect_timeout=1&health_check_interval=0',
      { replyTimeoutMs: 2500, connectTimeoutMs: 1000, healthCheckIntervalMs: 0 },
    ],
  ])('reads %s', (url, expected) => {
    expect(data(url)).toMatchObject(expected)
  })

  test.each([
    [
      {},
      {
        connectTimeoutMs: 4_000,
        replyTimeoutMs: 10_000,
        healthCheckIntervalMs: 15_000,
        keepAliveMs: 30_000,
        keyPrefix: '',
      },
    ],
    [
      { socketTimeout: '3', socket_keepalive: true, max_connections: 10, retry_on_timeout: true },
      { replyTimeoutMs: 3_000 },
    ],
    [{ socket_keepalive_options: { TCP_KEEPIDLE: 7 } }, { keepAliveMs: 7_000 }],
    [
      { client_name: 'me', username: 'u', password: 'p' },
      { clientName: 'me', username: 'u', password: 'p' },
    ],
    [{ ssl: true }, { tls: { verifyCertificate: true, verifyHostName: true } }],
    [
      { ssl: { ca_certs: '/ca', cert_reqs: 2, certfile: '/c', keyfile: '/k' } },
      { tls: { verifyCertificate: true, authorityFile: '/ca', certificateFile: '/c', keyFile: '/k' } },
    ],
    [{ ssl: { ssl_cert_reqs: 'CERT_OPTIONAL' } }, { tls: { verifyCertificate: true } }],
    [{ ssl_cert_reqs: 'none' }, { tls: { verifyCertificate: false } }],
    [{ ssl: false, ssl_cert_reqs: 'none' }, { tls: undefined }],
    [
      { cluster: true, global_keyprefix: 'app:' },
      { kind: 'cluster', keyPrefix: '{celery}app:' },
    ],
    [
      { cluster: true, global_keyprefix: '{app}:' },
      { kind: 'cluster', keyPrefix: '{app}:' },
    ],
    [
      { cluster: true, global_keyprefix: '{}:' },
      { kind: 'cluster', keyPrefix: '{celery}{}:' },
    ],
    [
      { sentinels: [['a', 1], ['b', '2'], 'c:3', 'd', '[::1]:4'], master_name: 'm' },
      {
        kind: 'sentinel',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
          { host: 'c', port: 3 },
          { host: 'd', port: 26379 },
          { host: '::1', port: 4 },
        ],
      },
    ],
  ])('takes the options %j', (options, expected) => {
    expect(data('redis://h', options)).toMatchObject(expected)
  })

  test('reads sentinels and how to ask them', () => {
    const read = data('sentinel://:pw@a:1/2;sentinel://b;sentinel://c:3/2', {
      master_name: 'm',
      min_other_sentinels: 1,
      sentinel_kwargs: { password: 'other', socket_connect_timeout: 0.5, ssl: true },
    })
    expect(read).toMatchObject({ kind: 'sentinel', db: 2, password: 'pw', tls: undefined })
    expect(read.nodes).toEqual([
      { host: 'a', port: 1 },
      { host: 'b', port: 26_379 },
      { host: 'c', port: 3 },
    ])
    expect(read.sentinel).toMatchObject({
      masterName: 'm',
      minOtherSentinels: 1,
      password: 'other',
      connectTimeoutMs: 500,
    })
    expect(read.sentinel?.tls).toMatchObject({ verifyCertificate: true, verifyHostName: true })
  })

  test.each([
    ['amqp://h', {}, 'its scheme is none of redis://'],
    ['redis://h/x', {}, 'the database is not a number'],
    ['redis+cluster://h/1', {}, 'only the database 0'],
    ['redis://h', { socket_timeout: 'soon' }, '"socket_timeout" is not a number'],
    ['redis://h', { socket_timeout: -1 }, '"socket_timeout" is not a number'],
    ['redis://h', { client_name: 7 }, '"client_name" is not text'],
    ['redis://h', { cluster: 'perhaps' }, '"cluster" is neither true nor false'],
    ['redis://h', { ssl_cert_reqs: 'maybe' }, '"ssl_cert_reqs" is none of'],
    ['redis://h?ssl_cert_reqs=none', {}, 'write rediss://'],
    ['unix:///s', { ssl: true }, 'takes no TLS'],
    ['unix://h/s', {}, 'write three slashes'],
    ['unix://', {}, 'write three slashes'],
    ['sentinel://h', {}, 'in the option "master_name"'],
    ['sentinel://h', { master_name: 'm', sentinel_kwargs: 1 }, '"sentinel_kwargs" is not an object'],
    ['sentinel://h', { master_name: 'm', sentinels: [] }, '"sentinels" is not a list'],
    ['sentinel://h', { master_name: 'm', sentinels: [['h', 70_000]] }, '"sentinels" is not a list'],
  ])('refuses %s with %j', (url, options, reason) => {
    expect(() => data(url, options)).toThrow(reason)
    expect(() => data(url, options)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_INVALID_REDIS_ADDRESS' }))
  })

  test.each([
    [
      'redis://h',
      { global_keyprefx: 'app:' },
      'there is no option "global_keyprefx": did you mean "global_keyprefix"?',
    ],
    ['redis://h', { socketTimout: 3 }, 'did you mean "socket_timeout"?'],
    ['redis://h?visibility_timout=3', {}, 'did you mean "visibility_timeout"?'],
    ['redis://h/0?pasword=planted', {}, 'Redis at redis://h/0 cannot be used: there is no option "pasword"'],
    ['redis://h', { PASSWORD: 'planted' }, 'there is no option "PASSWORD"'],
    [
      'redis://h',
      { leaseMs: 5_000 },
      'there is no option "leaseMs": it is a setting of the app, not of the connection',
    ],
    ['redis://h/0?leaseMs=5000', {}, 'it is a setting of the app, not of the connection: move it to the settings'],
    ['redis://h', { color: 1 }, 'the READMEs of @celery/redis, @celery/transport-redis and @celery/backend-redis list'],
    ['redis://h', { colour: 'planted' }, 'there is no option "colour": take it out'],
    ['redis://h', { ssl: { ca_cert: '/ca' } }, 'there is no option "ca_cert" in "ssl": did you mean "ca_certs"?'],
    ['redis://h', { retryPolicy: { max_retry: 1 } }, 'there is no option "max_retry" in "retry_policy"'],
    ['sentinel://h', { master_name: 'm', sentinel_kwargs: { pasword: 'planted' } }, 'did you mean "password"?'],
  ])('refuses an option of %s that nobody knows: %j', (url, options, reason) => {
    expect(() => data(url, options)).toThrow(reason)
    expect(() => data(url, options)).not.toThrow('planted')
  })

  test('TRAN-026: takes the options that programs in Python have, whatever of them means something here', () => {
    const options = {
      ack_emulation: true,
      'client-config': {},
      confirm_publish: true,
      healthCheckInterval: 30,
      max_connections: 10,
      max_retries: 3,
      maxRecordBytes: 1_000,
      region: 'eu-west-1',
      retry_on_timeout: true,
      retry_policy: { timeout: 5, max_retries: null },
      result_chord_ordered: true,
      socket_keepalive: true,
      socket_keepalive_options: { TCP_KEEPIDLE: 60 },
      visibility_timeout: 7_200,
      nothing: undefined,
    }
    expect(data('redis://h', options)).toEqual(
      data('redis://h', { health_check_interval: 30, socket_keepalive_options: { TCP_KEEPIDLE: 60 } }),
    )
  })

  test('says what is the same data, and what is not', () => {
    const identity = (url: string, options?: Readonly<Record<string, unknown>>): string =>
      readRedisTarget(address(url), options).identity
    expect(identity('redis://me:planted@h/1?password=planted')).toBe('server/h:6379/1')
    expect(identity('redis://h/1')).toBe(identity('redis://:pw@h:6379/1', { global_keyprefix: 'x' }))
    const different = [
      identity('redis://h'),
      identity('redis://h/1'),
      identity('redis://g'),
      identity('unix:///h'),
      identity('redis://h', { global_keyprefix: '{a}' }),
      identity('redis+cluster://h'),
      identity('redis+cluster://h', { global_keyprefix: '{a}' }),
      identity('sentinel://h:6379', { master_name: 'a' }),
      identity('sentinel://h:6379', { master_name: 'b' }),
      identity('sentinel://g:6379', { master_name: 'a' }),
    ]
    expect(new Set(different).size).toBe(different.length)
  })

  test('shows no password when printed, and goes to another thread as data', () => {
    const target = readRedisTarget(address('sentinel://me:planted@h'), {
      master_name: 'm',
      ssl_password: 'planted',
      sentinel_kwargs: { password: 'planted' },
    })
    for (const text of [inspect(target, { depth: 9, showHidden: true }), JSON.stringify({ target }), `${target}`]) {
      expect(text).not.toContain('planted')
    }
    const copy = RedisTarget.from(structuredClone(target.toData()))
    expect(copy.toData()).toEqual(target.toData())
    expect(copy.address).toBe('sentinel://me:**@h')
  })
})
