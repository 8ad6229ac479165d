import { describe, expect, test } from 'vitest'
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
} from '../src/index.ts'
import { readFolder, VERSIONS } from './read-golden.ts'

interface Stored {
  readonly value?: unknown
}

/** A file of `golden/results/redis-backend-*` or `golden/results/redis-direct-*`. */
interface ResultCase {
  readonly backend_key_snapshots?: readonly Readonly<Record<string, Stored>>[]
  readonly keys?: Readonly<Record<string, Stored>>
}

/** Every text that was ever stored under a key with this in it. */
function stored(version: string, prefix: string): string[] {
  const texts = new Set<string>()
  for (const folder of [`redis-backend-${version}`, `redis-direct-${version}`]) {
    for (const [, { backend_key_snapshots = [], keys = {} }] of readFolder<ResultCase>(`results/${folder}`)) {
      for (const [key, { value }] of [...backend_key_snapshots, keys].flatMap((snapshot) => Object.entries(snapshot))) {
        if (key.includes(prefix) && typeof value === 'string') texts.add(value)
      }
    }
  }
  return [...texts]
}

describe.each(VERSIONS)('a result of Celery %s', (version) => {
  const records = stored(version, 'celery-task-meta-')

  test('there are as many as were recorded', () => {
    expect(records.length).toBeGreaterThanOrEqual(70)
  })

  test.each(records.map((text, index) => [index, text] as const))(
    '%i is read, and written with the same meaning',
    (_, text) => {
      const record = decodeResultRecord(text)
      expect(record).toMatchObject(JSON.parse(text))
      expect(decodeResultRecord(encodeResultRecord(record))).toEqual(record)
      if (record.date_done !== null) expect(parseIsoTime(record.date_done)).toBeGreaterThan(Date.UTC(2026, 10, 1))
      for (const child of record.children ?? []) expect(decodeResultTuple(child).id).toMatch(/^[0-9a-f-]{36}$/)
    },
  )

  test('exceptions become errors that keep what Python said', () => {
    const registry = new ErrorRegistry()
    const failed = records.map((text) => decodeResultRecord(text)).filter(({ status }) => EXCEPTION_STATES.has(status))
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
    const groups = stored(version, 'celery-taskset-meta-').filter((text) => text.startsWith('{"result"'))
    expect(groups.length).toBeGreaterThan(0)
    for (const text of groups) {
      const { result } = JSON.parse(text) as { result: unknown }
      expect(decodeResultTuple(result).children?.length).toBeGreaterThan(0)
    }
  })
})
