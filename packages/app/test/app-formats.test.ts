import { decodeTaskHeaders, type WireMessage } from '@celery/protocol'
import {
  ContentDisallowedError,
  Decimal,
  DecodeError,
  pickleSerializer,
  SerializerRegistry,
} from '@celery/serialization'
import type { BrokerAddress } from '@celery/transport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CeleryApp, ImproperlyConfiguredError, type SettingsInput } from '../src/index.ts'

function appWith(settings: SettingsInput = {}): CeleryApp {
  const app = new CeleryApp('formats', { broker: 'memory://', settings, setAsCurrent: false, notify: () => {} })
  onTestFinished(() => app.close())
  return app
}

const message = (changes: Partial<WireMessage> = {}): WireMessage => ({
  body: '[[1], {}, {}]',
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  headers: { task: 't', id: 'a' },
  properties: {},
  ...changes,
})

describe('CONF-001 acceptContent', () => {
  test('says what is read, by name or content type, and may be changed', () => {
    const app = appWith()
    const yaml = message({ contentType: 'application/x-yaml' })
    expect(() => app.messages.assertAccepted(yaml)).toThrow(ContentDisallowedError)
    app.conf.acceptContent = ['json', 'application/x-yaml']
    expect(app.messages.assertAccepted(yaml)).toBeUndefined()
    expect(app.messages.assertAccepted(message())).toBeUndefined()
  })

  test('H-22 is asked before a compression is unpacked or loaded', () => {
    const app = appWith()
    const spoiled = message({
      contentType: 'application/x-yaml',
      headers: { task: 't', id: 'a', compression: 'application/x-bz2' },
    })
    expect(app.messages.prepare(spoiled)).toBeUndefined()
    expect(() => app.messages.readBody(spoiled)).toThrow(ContentDisallowedError)
    expect(app.compressions.isLoaded('bzip2')).toBe(false)
  })

  test('SER-006 SER-007 raw and text need no mention', () => {
    const { messages } = appWith()
    expect(messages.readBody(message({ contentType: 'application/data', contentEncoding: 'binary' }))).toEqual(
      Buffer.from('[[1], {}, {}]'),
    )
    expect(messages.readBody(message({ contentType: 'application/text' }))).toBe('[[1], {}, {}]')
  })

  test('a compression header that is no text is an error of the message', () => {
    const { messages } = appWith()
    expect(() => messages.readBody(message({ headers: { compression: 5 } }))).toThrow(DecodeError)
    expect(messages.readBody(message({ headers: { compression: null } }))).toEqual([[1], {}, {}])
  })
})

test('formats are brought into memory once, when they are needed', async () => {
  const app = appWith({ acceptContent: ['json', 'msgpack'], resultCompression: 'bzip2' })
  expect(app.codecs.prepareToWrite('json', 'zlib')).toBeUndefined()
  expect(app.codecs.prepareToRead(message())).toBeUndefined()
  const compressed = message({ contentType: 'application/x-msgpack', headers: { compression: 'application/x-lzma' } })
  await app.codecs.prepareToRead(compressed)
  expect(app.serializers.isLoaded('msgpack')).toBe(true)
  expect(app.compressions.isLoaded('lzma')).toBe(true)
  expect(app.codecs.prepareToRead(compressed)).toBeUndefined()
  await app.codecs.load()
  expect(app.compressions.isLoaded('bzip2')).toBe(true)
  expect(app.serializers.isLoaded('yaml')).toBe(false)
})

test.each<[SettingsInput, string]>([
  [{ acceptContent: ['json', 'ymal'] }, 'the setting acceptContent: no serializer "ymal" is registered'],
  [{ acceptContent: ['pickle'] }, 'the setting acceptContent: no serializer "pickle" is registered'],
  [{ taskSerializer: 'jsn' }, 'the setting taskSerializer: no serializer "jsn"'],
  [{ resultSerializer: 'jsn' }, 'the setting resultSerializer: no serializer "jsn"'],
  [{ taskCompression: 'zip' }, 'the setting taskCompression: no compression "zip"'],
  [{ resultCompression: 'zip' }, 'the setting resultCompression: no compression "zip"'],
])('a setting that names no format says which one it is: %j', async (settings, problem) => {
  const loading = appWith(settings).codecs.load()
  await expect(loading).rejects.toThrow(ImproperlyConfiguredError)
  await expect(appWith(settings).codecs.load()).rejects.toThrow(problem)
})

test('SER-004 pickle is read where it is registered and accepted', async () => {
  const app = appWith({ acceptContent: ['pickle'] })
  app.serializers.register('pickle', pickleSerializer())
  await app.codecs.load()
  const { body, contentEncoding, contentType } = app.serializers.encode([[1], {}, {}], 'pickle')
  expect(app.messages.readBody(message({ body, contentEncoding, contentType }))).toEqual([[1], {}, {}])
})

test('fleetVersion may be set after the app was made', () => {
  const app = appWith()
  const written = () => app.serializers.encode(new Decimal('1.5')).body
  expect(written()).toContain('__type__')
  app.conf.update({ fleetVersion: '5.2' })
  expect(written()).toBe('"1.5"')
  expect(new SerializerRegistry().encode(new Decimal('1.5')).body).toContain('__type__')
})

describe('TASK-125 the headers of a message', () => {
  const old = (changes: object): WireMessage =>
    message({ headers: {}, body: JSON.stringify({ task: 't', id: 'a', args: [1], kwargs: {}, ...changes }) })

  test('are the same for either protocol', () => {
    const { messages } = appWith()
    expect(messages.readHeaders(message())).toEqual(decodeTaskHeaders({ task: 't', id: 'a' }))
    expect(messages.readHeaders(old({}))).toMatchObject({ task: 't', id: 'a', argsrepr: '(1,)', root_id: 'a' })
  })

  test.each<[SettingsInput, string]>([
    [{}, '2030-07-01T12:00:00+00:00'],
    [{ timezone: 'Europe/Paris' }, '2030-07-01T10:00:00+00:00'],
    [{ timezone: 'Europe/Paris', enableUtc: false }, '2030-07-01T10:00:00+00:00'],
    [{ enableUtc: false }, new Date('2030-07-01T12:00:00').toISOString().replace('.000Z', '+00:00')],
  ])('with %j have a local time of protocol 1 in UTC', (settings, eta) => {
    const { messages } = appWith(settings)
    expect(messages.readHeaders(old({ eta: '2030-07-01T12:00:00', utc: false })).eta).toBe(eta)
    expect(messages.readHeaders(old({ eta: '2030-07-01T12:00:00', utc: true })).eta).toBe('2030-07-01T12:00:00')
  })
})

describe('CONF-140 brokerFailoverStrategy', () => {
  const brokerUrl = ['memory://a', 'memory://b', 'memory://c']

  test('says which broker is tried first', async () => {
    const backwards = (servers: readonly BrokerAddress[]) => servers.toReversed()
    await using connection = appWith({ brokerUrl, brokerFailoverStrategy: backwards }).connectionForWrite()
    expect(connection.server.toString()).toBe('memory://c')
    await using plain = appWith({ brokerUrl }).connectionForRead()
    expect(plain.server.toString()).toBe('memory://a')
  })

  test('is refused where there is no such one', () => {
    expect(() => appWith({ brokerFailoverStrategy: 'random' as never }).conf.brokerFailoverStrategy).toThrow(
      "brokerFailoverStrategy must be 'round-robin', 'shuffle' or a function",
    )
  })
})
