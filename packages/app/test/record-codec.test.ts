import { ErrorRegistry, InvalidResultRecordError, type ResultRecord } from '@celery/protocol'
import {
  CompressionRegistry,
  ContentDisallowedError,
  DateTime,
  Decimal,
  pickleSerializer,
  SerializerRegistry,
} from '@celery/serialization'
import { describe, expect, test } from 'vitest'
import { RecordCodec } from '../src/record-codec.ts'
import { defaultSettings, type Settings } from '../src/settings.ts'

const record: ResultRecord = {
  task_id: 'a',
  status: 'SUCCESS',
  result: { x: [1, 2.5, 'é', null, true] },
  traceback: null,
  children: [],
  date_done: '2026-11-22T06:46:48.074150+00:00',
}
const serializerNames = ['json', 'yaml', 'msgpack', 'pickle'] as const
const compressionNames = [undefined, 'zlib', 'brotli', 'zstd', 'bzip2', 'lzma'] as const

async function codecOf(settings: Partial<Settings> = {}, errors = new ErrorRegistry()): Promise<RecordCodec> {
  const all = { ...defaultSettings, ...settings }
  const serializers = new SerializerRegistry({ fleetVersion: () => all.fleetVersion })
  serializers.register('pickle', pickleSerializer())
  serializers.register('signed', {
    contentType: 'application/data+signed',
    contentEncoding: 'utf-8',
    encode: (value) => JSON.stringify({ signed: value }),
    decode: (text) => (JSON.parse(text) as { signed: unknown }).signed,
  })
  const codec = new RecordCodec({
    settings: all,
    serializers,
    compressions: new CompressionRegistry(),
    errors,
  })
  await codec.prepareToWrite()
  return codec
}

describe('a record is read back by a program that loaded nothing', () => {
  for (const resultSerializer of serializerNames) {
    test.each(compressionNames)(`with ${resultSerializer} and the compression %s`, async (resultCompression) => {
      const stored = (await codecOf({ resultSerializer, resultCompression })).encode(record)
      const reader = await codecOf({ resultAcceptContent: serializerNames })
      expect(await reader.decode(stored)).toEqual(record)
      // As a store that knows bytes only gives it back.
      expect(await reader.decode(Buffer.from(stored))).toEqual(record)
    })
  }
})

test('JSON as Celery stores it is what is stored by default, and is read at once', async () => {
  const codec = await codecOf()
  const stored = codec.encode(record)
  expect(JSON.parse(stored as string)).toEqual(record)
  expect(codec.decode(stored)).toEqual(record)
})

test('YAML of Python is told apart from JSON', async () => {
  const reader = await codecOf({ resultAcceptContent: ['json', 'yaml'] })
  const stored = 'children: []\ndate_done: null\nresult: {a: 1}\nstatus: SUCCESS\ntask_id: a\ntraceback: null\n'
  expect(await reader.decode(stored)).toMatchObject({ status: 'SUCCESS', result: { a: 1 } })
  const typed = (await codecOf({ resultSerializer: 'yaml' })).encode({ ...record, result: new Date(0) })
  expect(((await reader.decode(typed)).result as Date).getTime()).toBe(0)
})

describe('a format whose package is missing', () => {
  const missing = async (): Promise<RecordCodec> => {
    const serializers = new SerializerRegistry()
    serializers.register('yaml', {
      contentType: 'application/x-yaml',
      packageName: 'js-yaml',
      load: async () => Promise.reject(new Error("Cannot find package 'js-yaml'")),
    })
    const settings = { ...defaultSettings, resultAcceptContent: ['json', 'yaml'] }
    return new RecordCodec({
      settings,
      serializers,
      compressions: new CompressionRegistry(),
      errors: new ErrorRegistry(),
    })
  }

  test('is not missed by records of another one, which are read at once', async () => {
    const codec = await missing()
    expect(codec.decode(codec.encode(record))).toEqual(record)
  })

  test('is named when a record can be of no other', async () => {
    const codec = await missing()
    const unavailable = { code: 'ERR_CELERY_CODEC_UNAVAILABLE', packageName: 'js-yaml' }
    await expect(codec.decode('{task_id: a}')).rejects.toMatchObject(unavailable)
    await expect(codec.decode('task_id: a')).rejects.toMatchObject(unavailable)
  })
})

describe('resultAcceptContent', () => {
  test('refuses what it does not name', async () => {
    const stored = (await codecOf({ resultSerializer: 'msgpack' })).encode(record)
    const reader = await codecOf()
    expect(() => reader.decode(stored)).toThrow(ContentDisallowedError)
    expect(() => reader.decode(stored)).toThrow('"application/x-msgpack" is not accepted here')
    const compressed = (await codecOf({ resultSerializer: 'msgpack', resultCompression: 'zlib' })).encode(record)
    expect(() => reader.decode(compressed)).toThrow('"application/x-msgpack" is not accepted here')
  })

  test('is acceptContent and what the program writes itself, where it is not set', async () => {
    const stored = (await codecOf({ resultSerializer: 'msgpack' })).encode(record)
    expect(await (await codecOf({ resultSerializer: 'msgpack' })).decode(stored)).toEqual(record)
    expect(await (await codecOf({ acceptContent: ['msgpack'] })).decode(stored)).toEqual(record)
    const strict = await codecOf({ resultSerializer: 'msgpack', resultAcceptContent: ['json'] })
    expect(() => strict.decode(stored)).toThrow(ContentDisallowedError)
  })

  test('never takes plain JSON for a format of the application', async () => {
    const codec = await codecOf({ resultSerializer: 'signed' })
    expect(codec.decode(codec.encode(record))).toEqual(record)
    expect(() => codec.decode(JSON.stringify(record))).toThrow()
  })
})

test.each([
  ['text that is no record', 'not json'],
  ['broken JSON', '{"task_id":'],
  ['a list', '[]'],
  ['a compression that nobody knows', 'celery-record application/json application/x-evil\nabc'],
  ['a compressed record cut off', Buffer.from('celery-record application/json application/x-gzip\nxyz')],
  ['a mark without an end', 'celery-record application/json'],
])('%s is an error of the reader, and no crash', async (_what, stored) => {
  const reader = await codecOf()
  const reading = async () => reader.decode(stored)
  await expect(reading()).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_CELERY_/) })
  if (_what === 'broken JSON') await expect(reading()).rejects.toThrow(InvalidResultRecordError)
})

describe('fleetVersion', () => {
  const result = { at: new DateTime('2026-01-02T03:04:05.000006+00:00'), amount: new Decimal('1.10') }

  test.each([
    ['4.3', '2026-01-02T03:04:05.000006Z', '1.10', '2026-11-22T06:46:48.074150'],
    ['5.2', '2026-01-02T03:04:05.000006Z', '1.10', '2026-11-22T06:46:48.074150'],
    [
      '5.6',
      { __type__: 'datetime', __value__: '2026-01-02T03:04:05.000006+00:00' },
      { __type__: 'decimal', __value__: '1.10' },
      '2026-11-22T06:46:48.074150+00:00',
    ],
  ] as const)('%s is who reads typed values and times', async (fleetVersion, at, amount, date_done) => {
    const stored = (await codecOf({ fleetVersion })).encode({ ...record, result })
    expect(JSON.parse(stored as string)).toMatchObject({ result: { at, amount }, date_done })
    // The reader takes every form.
    expect(await (await codecOf()).decode(stored)).toMatchObject({ status: 'SUCCESS' })
  })

  test('5.6 gives typed values back', async () => {
    const codec = await codecOf()
    expect((await codec.decode(codec.encode({ ...record, result }))).result).toEqual(result)
  })
})

test.each([
  ['json', [new Decimal('1.5'), 2n ** 70n], [new Decimal('1.5'), 2n ** 70n]],
  ['msgpack', [new Decimal('1.5'), 2n ** 70n, 'a'], [expect.any(String), '1180591620717411303424', 'a']],
  ['yaml', [new Date(0), new Map([[1, 2]])], [new Date(0), new Map([[1, 2]])]],
])('arguments of an error that %s cannot hold become text', async (resultSerializer, args, kept) => {
  const errors = new ErrorRegistry().register(Complaint, { type: 'Complaint', module: 'm', toArgs: () => args })
  const codec = await codecOf({ resultSerializer }, errors)
  const form = codec.exceptionForm(new Complaint())
  expect(form.exc_message).toEqual(kept)
  const stored = codec.encode({ ...record, status: 'FAILURE', result: form })
  expect(await codec.decode(stored)).toMatchObject({ status: 'FAILURE', result: { exc_type: 'Complaint' } })
})

class Complaint extends Error {}
