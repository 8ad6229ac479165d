import { CeleryError, parseRate } from '@celery/promises'
import type { ValueRule } from './value-rule.ts'

/** What a rate limit must be, where one is set. */
export const rateRule: ValueRule = { expected: "a number per second, or '10/s', '10/m', '10/h'", test: isRate }

function isRate(value: unknown): boolean {
  try {
    parseRate(value as string | number)
    return true
  } catch (error) {
    if (CeleryError.is(error, 'ERR_CELERY_INVALID_RATE')) return false
    throw error
  }
}
