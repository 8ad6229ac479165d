import { DateTime, pickleSerializer, SerializerRegistry } from '@celery/serialization'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  decodeExceptionForm,
  decodeResultRecord,
  decodeResultTuple,
  ErrorRegistry,
  EXCEPTION_STATES,
  encodeResultRecord,
  errorFromForm,
  exceptionForm,
  parseIsoTime,
  RemoteTaskError,
  type ResultRecord,
  readResultRecord,
  resultRecordData,
} from '../src/index.ts'
import { readFolder, VERSIONS } from './read-golden.ts'

interface Stored {
  readonly value?: unknown
}

/** A file of `golden/results/`. */
interface ResultFile {
  /** `json` where it is absent. */
  readonly result_serializer?: string
  /** What lay in Redis or memcached, at the end or one time after the other. */
  readonly backend_key_snapshots?: readonly Readonly<Record<string, Stored>>[]
  readonly keys?: Readonly<Record<string, Stored>>
  /** What lay in a folder. */
  readonly files?: Readonly<Record<string, string>>
}

/** Something that Celery stored, in the format of a serializer. */
interface StoredValue {
  readonly serializer: string
  readonly value: string | Uint8Array
}

const FORMATS: ReadonlyMap<string, string> = new Map([
  ['json', 'application/json'],
  ['yaml', 'application/x-yaml'],
  ['msgpack', 'application/x-msgpack'],
  ['pickle', 'application/x-python-serialize'],
])
const serializers = new SerializerRegistry().register('pickle', pickleSerializer())
const accept = serializers.acceptList(FORMATS.keys())

beforeAll(async () => {
  await Promise.all([...FORMATS.keys()].map((name) => serializers.load(name)))
})

/** Everything that was ever stored under a key with `part` in it, once. */
function stored(version: string, part: string): StoredValue[] {
  const found = new Map<string, StoredValue>()
  for (const folder of ['redis-backend', 'redis-direct', 'memcached', 'filesystem']) {
    for (const [, file] of readFolder<ResultFile>(`results/${folder}-${version}`)) {
      const { result_serializer: serializer = 'json', backend_key_snapshots = [], keys = {}, files = {} } = file
      const entries = [...backend_key_snapshots, keys].flatMap((snapshot) => Object.entries(snapshot))
      const values = entries.map(([key, { value }]): [string, unknown] => [key, value])
      for (const [key, value] of [...values, ...Object.entries(files)]) {
        // Beside the group itself lie the parts of its chord.
        if (!key.includes(part) || /\.[jst]$/.test(key)) continue
        found.set(JSON.stringify(value), { serializer, value: bytesOf(value) })
      }
    }
  }
  return [...found.values()]
}

function bytesOf(value: unknown): string | Uint8Array {
  return typeof value === 'string' ? value : Buffer.from((value as { readonly base64: string }).base64, 'base64')
}

function decoded({ serializer, value }: StoredValue): unknown {
  return serializers.decode(value, FORMATS.get(serializer)!, undefined, { accept })
}

/** An exception in a pickle is one of Python's objects, and nothing that our reader would make. */
function isPickledException({ serializer, value }: StoredValue): boolean {
  return serializer === 'pickle' && value.includes('FAILURE' as never)
}

function read(each: StoredValue): ResultRecord {
  return each.serializer === 'json' ? decodeResultRecord(each.value) : readResultRecord(decoded(each))
}

describe.each(VERSIONS)('a result of Celery %s', (version) => {
  const all = stored(version, 'celery-task-meta-')
  const records = all.filter((each) => !isPickledException(each))
  const numbered = (list: readonly StoredValue[]): [number, StoredValue][] => [...list.entries()]

  test('there are as many as were recorded', () => {
    expect([all.length, records.length]).toEqual({ '4.3': [109, 107], '5.2': [117, 115], '5.6': [118, 116] }[version])
  })

  test.each(numbered(records))('%i is read, and written with the same meaning', (_, each) => {
    const record = read(each)
    const { date_done, ...rest } = decoded(each) as Readonly<Record<string, unknown>>
    // Python 4.3 stores it as a time where the format has one.
    expect(record).toMatchObject({
      ...rest,
      date_done: date_done instanceof DateTime ? date_done.isoFormat() : date_done,
    })
    expect(decodeResultRecord(encodeResultRecord(record))).toEqual(record)
    const { body } = serializers.encode(resultRecordData(record), each.serializer)
    expect(read({ ...each, value: body })).toEqual(record)
    if (record.date_done !== null) expect(parseIsoTime(record.date_done)).toBeGreaterThan(Date.UTC(2026, 10, 1))
    for (const child of record.children ?? []) expect(decodeResultTuple(child).id).toMatch(/^[0-9a-f-]{36}$/)
  })

  test.each(numbered(records))(
    '%i is written for this version as it was, and for every other as that writes',
    (_, each) => {
      const record = read(each)
      const { date_done: doneAt, ...before } = record
      if (doneAt?.endsWith('+01:00') !== true) expect(resultRecordData(record, version)).toEqual(record)
      for (const other of ['4.3', '5.2'] as const) {
        const { date_done, ...rest } = resultRecordData(record, other)
        expect(rest).toEqual(before)
        if (date_done === null) continue
        expect(date_done).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$/)
        expect(parseIsoTime(date_done)).toBe(parseIsoTime(doneAt!))
      }
    },
  )

  test.each(numbered(all.filter(isPickledException)))('%i, an exception in a pickle, is refused', (_, each) => {
    expect(() => decoded(each)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_DECODE' }))
  })

  test('exceptions become errors that keep what Python said', () => {
    const registry = new ErrorRegistry()
    const failed = records.map(read).filter(({ status }) => EXCEPTION_STATES.has(status))
    const forms = failed.filter(({ result }) => result !== null).map(({ result }) => decodeExceptionForm(result))
    expect(forms.length).toBeGreaterThan(10)
    for (const form of forms) {
      const error = errorFromForm(form, registry)
      // Python's TypeError is ours as well; it has what Python said as its cause.
      const remote = form.exc_type === 'TypeError' ? error.cause : error
      expect(remote).toBeInstanceOf(RemoteTaskError)
      expect(exceptionForm(remote)).toEqual(form)
      expect(exceptionForm(error, registry)).toEqual(form)
    }
    const told = forms.map((form) => errorFromForm(form, registry).message)
    expect(told).toContain("task failed with KeyError('boom', 3)")
    expect(told).toContain("task failed with WireError('custom', {'a': 1})")
  })

  test('a saved group is a result tuple', () => {
    const groups = stored(version, 'celery-taskset-meta-')
    expect(new Set(groups.map(({ serializer }) => serializer)).size).toBe(version === '4.3' ? 3 : 4)
    for (const each of groups) {
      const { result } = decoded(each) as { result: unknown }
      expect(decodeResultTuple(result).children?.length).toBeGreaterThan(0)
    }
  })
})
