import type { RetryPolicy } from '@celery/promises'
import type { ChordLayout } from './redis-chord-counter.ts'
import { defaultRetryPolicy } from './redis-store.ts'

/** What `result_backend_transport_options` say besides how to connect. */
export interface RedisBackendOptions {
  /** `retry_policy`. */
  readonly retryPolicy: RetryPolicy
  /** `result_chord_ordered`; absent leaves it to the chord. */
  readonly chordLayout: ChordLayout | undefined
  /** `maxRecordBytes`. */
  readonly maxRecordBytes: number | undefined
}

/** Redis takes no longer value. */
const LONGEST_VALUE_BYTES = 512 * 1024 * 1024

/** @throws TypeError, RangeError that name the option */
export function readRedisBackendOptions(options: Readonly<Record<string, unknown>>): RedisBackendOptions {
  const maxRecordBytes = numberOf(options, 'max_record_bytes', 'maxRecordBytes')
  if (maxRecordBytes !== undefined && maxRecordBytes > LONGEST_VALUE_BYTES) {
    throw new RangeError(`maxRecordBytes must be at most ${LONGEST_VALUE_BYTES}, the longest value that Redis takes`)
  }
  return {
    maxRecordBytes,
    chordLayout: readChordLayout(options['result_chord_ordered'] ?? options['resultChordOrdered']),
    retryPolicy: readRetryPolicy(options['retry_policy'] ?? options['retryPolicy']),
  }
}

function readChordLayout(ordered: unknown): ChordLayout | undefined {
  if (ordered === undefined || ordered === null) return undefined
  if (typeof ordered !== 'boolean') throw new TypeError(`result_chord_ordered must be a boolean, not ${typeof ordered}`)
  return ordered ? 'zset' : 'list'
}

function readRetryPolicy(value: unknown): RetryPolicy {
  if (value === undefined || value === null) return defaultRetryPolicy
  if (typeof value !== 'object') throw new TypeError(`retry_policy must be an object, not ${typeof value}`)
  const policy = value as Readonly<Record<string, unknown>>
  const isEndless = policy['max_retries'] === null || policy['maxRetries'] === null
  return {
    maxRetries: isEndless ? null : (numberOf(policy, 'max_retries', 'maxRetries') ?? defaultRetryPolicy.maxRetries),
    intervalStart: numberOf(policy, 'interval_start', 'intervalStart') ?? defaultRetryPolicy.intervalStart,
    intervalStep: numberOf(policy, 'interval_step', 'intervalStep') ?? defaultRetryPolicy.intervalStep,
    intervalMax: numberOf(policy, 'interval_max', 'intervalMax') ?? defaultRetryPolicy.intervalMax,
  }
}

/** The first of the spellings that is there. */
function numberOf(options: Readonly<Record<string, unknown>>, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = options[name]
    if (value === undefined || value === null) continue
    if (typeof value === 'number' && value >= 0) return value
    throw new TypeError(
      `${name} must be a number of 0 or more, not ${typeof value === 'number' ? value : typeof value}`,
    )
  }
  return undefined
}
