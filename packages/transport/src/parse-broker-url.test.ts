import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BrokerAddress } from './broker-connection.ts'
import { parseBrokerUrl } from './parse-broker-url.ts'

function parts({ scheme, host, port, username, password, path, query }: BrokerAddress): object {
  return { scheme, host, port, username, password, path, query: { ...query } }
}

const nothing = { host: undefined, port: undefined, username: undefined, password: undefined, path: '', query: {} }

describe('parseBrokerUrl', () => {
  test.each([
    ['amqp://', { scheme: 'amqp' }],
    ['memory://', { scheme: 'memory' }],
    ['AMQP://LocalHost', { scheme: 'amqp', host: 'localhost' }],
    ['redis://localhost:6379/0', { scheme: 'redis', host: 'localhost', port: 6379, path: '0' }],
    ['redis://:secret@h/1', { scheme: 'redis', host: 'h', username: '', password: 'secret', path: '1' }],
    ['redis://user@h', { scheme: 'redis', host: 'h', username: 'user' }],
    ['redis://[::1]:6380/2', { scheme: 'redis', host: '::1', port: 6380, path: '2' }],
    ['amqp://h:/v', { scheme: 'amqp', host: 'h', path: 'v' }],
    ['amqp://h/', { scheme: 'amqp', host: 'h' }],
    ['amqp://h//', { scheme: 'amqp', host: 'h', path: '/' }],
    ['amqp://h/%2F', { scheme: 'amqp', host: 'h', path: '/' }],
    [
      'amqp://user:p%40ss@host//vhost',
      { scheme: 'amqp', host: 'host', username: 'user', password: 'p@ss', path: '/vhost' },
    ],
    ['amqp://user:p@ss:w@host', { scheme: 'amqp', host: 'host', username: 'user', password: 'p@ss:w' }],
    ['amqp://us%2Fer:%C3%BC@h', { scheme: 'amqp', host: 'h', username: 'us/er', password: 'ü' }],
    ['amqp://u:100%@h', { scheme: 'amqp', host: 'h', username: 'u', password: '100%' }],
    ['sqlite:///queue.db', { scheme: 'sqlite', path: 'queue.db' }],
    ['sqlite:////srv/app/queue.db', { scheme: 'sqlite', path: '/srv/app/queue.db' }],
    ['sqlite:///C:/app/queue.db', { scheme: 'sqlite', path: 'C:/app/queue.db' }],
    [
      'redis+socket:///run/redis.sock?virtual_host=3',
      { scheme: 'redis+socket', path: 'run/redis.sock', query: { virtual_host: '3' } },
    ],
    ['sqs://AKIA:se%2Fcret@', { scheme: 'sqs', username: 'AKIA', password: 'se/cret' }],
    ['amqp://h?heartbeat=10&x=a%20b', { scheme: 'amqp', host: 'h', query: { heartbeat: '10', x: 'a b' } }],
  ])('reads %s', (url, expected) => {
    expect(parts(parseBrokerUrl(url))).toEqual({ ...nothing, ...expected })
  })

  test('returns the first of several brokers, and the others as its alternates', () => {
    const address = parseBrokerUrl('sentinel://a:1/0;sentinel://b:2/0; sentinel://:pw@c:3/0;')
    expect(address.host).toBe('a')
    expect(address.alternates.map(({ host, port, password }) => [host, port, password])).toEqual([
      ['b', 2, undefined],
      ['c', 3, 'pw'],
    ])
    expect(address.alternates[0]?.alternates).toEqual([])
  })

  test('gives hosts that are only separated the scheme, the user, the path and the query they share', () => {
    const address = parseBrokerUrl('rediss://me:pw@h1:6379;h2:6380/4?ssl=yes')
    for (const one of [address, ...address.alternates]) {
      expect(one).toMatchObject({ scheme: 'rediss', username: 'me', path: '4' })
      expect([one.password, one.query['ssl']]).toEqual(['pw', 'yes'])
    }
  })

  test('gives brokers of one list no part of each other', () => {
    const { alternates } = parseBrokerUrl('amqp://me:pw@a/x;amqp://b')
    expect(parts(alternates[0] as BrokerAddress)).toEqual({ ...nothing, scheme: 'amqp', host: 'b' })
  })

  test.each([
    ['', 'it is empty'],
    [';', 'it is empty'],
    ['localhost', 'it has no scheme; write for example redis://localhost:6379/0 for a server'],
    ['localhost:6379/1', 'it has no scheme; write'],
    ['redis:/:secret@localhost:6379/1', 'after its scheme "//" is missing; write for example redis://localhost'],
    ['REDISS:localhost', 'after its scheme "//" is missing; write for example rediss://localhost'],
    ['sqlite:/queue.db', 'after its scheme "//" is missing; write for example sqlite:///queue.db'],
    // A user, and not a scheme.
    ['secret:word@localhost', 'it has no scheme; write'],
    ['://localhost', 'its scheme is not'],
    ['1redis://localhost', 'its scheme is not'],
    ['redis://h:port', 'its port is not'],
    ['redis://h:65536', 'its port is not'],
    ['redis://h:-1', 'its port is not'],
    ['redis://::1/0', 'IPv6 address in brackets'],
  ])('refuses "%s"', (url, reason) => {
    expect(() => parseBrokerUrl(url)).toThrow(reason)
    expect(() => parseBrokerUrl(url)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_INVALID_BROKER_URL' }))
  })

  test('shows nothing of a URL it cannot read: a slash in the password made it so', () => {
    expect(() => parseBrokerUrl('amqp://user:hun/ter2@h')).toThrow(expect.not.stringContaining('hun') as Error)
  })

  test('prints without password and secrets in the query, whatever prints it', () => {
    const address = parseBrokerUrl('redis://u:planted@h:1/2?ssl_password=planted&db=1;redis://:planted@b')
    const printed = [
      `${address}`,
      JSON.stringify({ address }),
      inspect(address),
      inspect({ deep: { address } }),
      String(address.alternates),
    ]
    for (const text of printed) expect(text).not.toContain('planted')
    expect(address.toString()).toBe('redis://u:**@h:1/2?ssl_password=**&db=1')
    expect(JSON.stringify(address)).toBe('"redis://u:**@h:1/2?ssl_password=**&db=1"')
    expect(inspect({ ...address })).not.toContain('planted')
    expect(inspect(structuredClone({ ...address, alternates: [] }))).not.toContain('planted')
  })

  test.each(['password', 'ssl_password', 'pasword', 'PASSWD', 'pwd', 'psw', 'token', 'secret'])(
    'prints no value of "%s"',
    (name) => {
      expect(`${parseBrokerUrl(`redis://h?${name}=planted`)}`).toBe(`redis://h?${name}=**`)
    },
  )

  test('finds the parts that a URL was made of', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 })
    const record = fc.record({
      username: text,
      password: text,
      host: fc.domain(),
      port: fc.integer({ min: 0, max: 65_535 }),
      path: text,
    })
    fc.assert(
      fc.property(record, ({ username, password, host, port, path }) => {
        const encode = encodeURIComponent
        const address = parseBrokerUrl(
          `redis://${encode(username)}:${encode(password)}@${host}:${port}/${encode(path)}`,
        )
        expect(parts(address)).toEqual({
          scheme: 'redis',
          username,
          password,
          host: host.toLowerCase(),
          port,
          path,
          query: {},
        })
        const masked = parseBrokerUrl(address.toString())
        expect(parts(masked)).toEqual({ ...parts(address), password: '**' })
      }),
    )
  })

  test('reads or refuses any text, and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        try {
          parseBrokerUrl(`x://${text}`)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_CELERY_INVALID_BROKER_URL' })
        }
      }),
    )
  })
})
