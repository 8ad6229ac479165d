import { CeleryError } from '@celery/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeTaskBody, decodeTaskHeaders } from '../src/index.ts'
import { mutateEnvelope } from '../src/testkit/index.ts'
import { readGolden, readMessages, type ToleranceFile, VERSIONS } from './read-golden.ts'
import { type Received, receive } from './receive.ts'

/** Good and bad messages of every version, protocol and format, as they lie in Redis. */
const seeds: readonly string[] = VERSIONS.flatMap((version) => [
  ...[...readMessages(`redis-${version}`), ...readMessages(`worker-sent-redis-${version}`)].flatMap(
    ({ raw }) => raw ?? [],
  ),
  ...readGolden<ToleranceFile>(`tasks/tolerance-${version}.json`).cases.flatMap(({ message }) =>
    typeof message === 'string' ? [] : JSON.stringify(message),
  ),
])

/** What a worker knows how to refuse. */
const REFUSALS: readonly string[] = [
  'ERR_CELERY_INVALID_ENVELOPE',
  'ERR_CELERY_INVALID_TASK_MESSAGE',
  'ERR_CELERY_CONTENT_DISALLOWED',
  'ERR_CELERY_UNKNOWN_SERIALIZER',
  'ERR_CELERY_UNKNOWN_COMPRESSION',
  'ERR_CELERY_CODEC_UNAVAILABLE',
  'ERR_CELERY_DECODE',
]

/** The message; or the code of the refusal. Whatever else is thrown goes on. */
function receiveOrRefuse(payload: string | Uint8Array): Received | string {
  try {
    return receive(payload)
  } catch (error) {
    const code = REFUSALS.find((each) => CeleryError.is(error, each))
    if (code === undefined) throw error
    // One short line for the log (H-32).
    const { message } = error as Error
    expect(message).toMatch(
      code.startsWith('ERR_CELERY_INVALID') ? /^[^\p{Cc}\p{Zl}\p{Zp}]{1,500}$/u : /^[^\r\n]{1,1000}$/,
    )
    return code
  }
}

describe('a message that was spoiled', () => {
  const mutation = fc
    .record({ seed: fc.nat(), envelope: fc.constantFrom(...seeds) })
    .map(({ envelope, seed }) => mutateEnvelope(envelope, seed))

  test('is read, or refused by name', () => {
    fc.assert(
      fc.property(mutation, ({ payload }) => {
        const received = receiveOrRefuse(payload)
        if (typeof received === 'string') return
        const { headers, body } = received
        // What was read is good: it would be read again as the same.
        expect(decodeTaskHeaders(headers)).toEqual(headers)
        const { args, kwargs, embed } = body
        expect(decodeTaskBody([args, kwargs, embed])).toEqual(body)
      }),
      { numRuns: 2_000 },
    )
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('the mutations', () => {
  const outcomes = seeds.slice(0, 150).map((envelope, seed) => {
    const { payload } = mutateEnvelope(envelope, seed)
    const received = receiveOrRefuse(payload)
    return typeof received === 'string' ? received : 'read'
  })

  test('are the same for the same seed, and differ for others', () => {
    const [envelope] = seeds
    const spoiled = Array.from({ length: 100 }, (_, seed) => mutateEnvelope(envelope!, seed))
    expect(Array.from({ length: 100 }, (_, seed) => mutateEnvelope(envelope!, seed))).toEqual(spoiled)
    expect(new Set(spoiled.map(({ payload }) => String(payload))).size).toBeGreaterThan(90)
  })

  test('say what they did', () => {
    for (const [seed, envelope] of seeds.entries()) {
      const { steps } = mutateEnvelope(envelope, seed)
      expect(steps.length).toBeGreaterThan(0)
      for (const step of steps) expect(step).toMatch(/^(payload|body|envelope)/)
    }
  })

  test('reach every way of being refused, and leave some messages readable', () => {
    expect(new Set(outcomes)).toEqual(
      new Set([
        'read',
        'ERR_CELERY_INVALID_ENVELOPE',
        'ERR_CELERY_INVALID_TASK_MESSAGE',
        'ERR_CELERY_CONTENT_DISALLOWED',
        'ERR_CELERY_UNKNOWN_COMPRESSION',
        'ERR_CELERY_CODEC_UNAVAILABLE',
        'ERR_CELERY_DECODE',
      ]),
    )
  })
})
