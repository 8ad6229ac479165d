import { globalKeyPrefix } from '@celery/backend'
import { parseServerUrl } from '@celery/protocol'
import { readRedisTarget } from '@celery/redis'
import { describe, expect, test } from 'vitest'
import { readRedisBackendOptions } from './redis-backend-options.ts'

const address = parseServerUrl('redis://h')

describe('the options of the store', () => {
  test('are those of Celery where nothing is said', () => {
    expect(readRedisBackendOptions({})).toEqual({
      maxRecordBytes: undefined,
      chordLayout: undefined,
      retryPolicy: { maxRetries: 20, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 },
    })
  })

  test.each([
    [{ max_retries: 3, interval_start: 1, interval_step: 2, interval_max: 5 }],
    [{ maxRetries: 3, intervalStart: 1, intervalStep: 2, intervalMax: 5 }],
  ])('have a policy in either spelling: %j', (policy) => {
    expect(readRedisBackendOptions({ retry_policy: policy }).retryPolicy).toEqual({
      maxRetries: 3,
      intervalStart: 1,
      intervalStep: 2,
      intervalMax: 5,
    })
  })

  test('may retry for ever', () => {
    expect(readRedisBackendOptions({ retry_policy: { max_retries: null } }).retryPolicy.maxRetries).toBeNull()
  })

  test.each([
    [true, 'zset'],
    [false, 'list'],
  ])('say where the parts of chords are kept: %s', (ordered, layout) => {
    expect(readRedisBackendOptions({ result_chord_ordered: ordered }).chordLayout).toBe(layout)
  })

  test.each([
    [{ retry_policy: 3 }, 'retry_policy must be an object, not number'],
    [{ retry_policy: { max_retries: -1 } }, 'max_retries must be a number of 0 or more, not -1'],
    [{ retry_policy: { interval_max: '1' } }, 'interval_max must be a number of 0 or more, not string'],
    [{ result_chord_ordered: 'no' }, 'result_chord_ordered must be a boolean, not string'],
    [{ maxRecordBytes: 2 ** 30 }, 'maxRecordBytes must be at most 536870912, the longest value that Redis takes'],
  ])('are named where they are wrong: %j', (options, message) => {
    expect(() => readRedisBackendOptions(options)).toThrow(message)
  })

  test('are all known where a target is read, so that a slip in one is refused', () => {
    const names = new Set<string>()
    const recorder = new Proxy<Record<string, unknown>>({}, { get: (_, name) => void names.add(String(name)) })
    readRedisBackendOptions(recorder)
    globalKeyPrefix(recorder)
    expect(names.size).toBeGreaterThan(5)
    for (const name of names) expect(() => readRedisTarget(address, { [name]: null })).not.toThrow()
  })
})
