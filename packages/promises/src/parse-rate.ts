import { CeleryError } from './celery-error.ts'

/** A rate limit is written in no form that Celery knows. */
export class InvalidRateError extends CeleryError {
  override readonly name = 'InvalidRateError'
  readonly code = 'ERR_CELERY_INVALID_RATE'
  /** What was given. */
  readonly rate: unknown

  constructor(rate: unknown) {
    super(`invalid rate limit ${JSON.stringify(rate)}: write a number per second, or '10/s', '10/m', '10/h'`)
    this.rate = rate
  }
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

/**
 * Tokens per second of a rate limit as Celery writes it: `10` or `'10'` a second, `'10/s'`, `'100/m'`, `'2.5/h'`.
 *
 * `null`, no limit, for `null`, `undefined`, the empty string and zero of any unit.
 *
 * @throws InvalidRateError for anything else.
 */
export function parseRate(rate: string | number | null | undefined): number | null {
  if (rate === null || rate === undefined || rate === '') return null
  const perSecond = typeof rate === 'number' ? rate : parseText(rate)
  if (!(perSecond >= 0 && perSecond < Infinity)) throw new InvalidRateError(rate)
  return perSecond === 0 ? null : perSecond
}

function parseText(rate: string): number {
  const [, count, unit = 's'] = /^\s*(\d+\.?\d*|\.\d+)(?:\/([smh]))?\s*$/.exec(rate) ?? []
  return Number(count) / (SECONDS[unit] ?? Number.NaN)
}
