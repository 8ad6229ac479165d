/** A `timedelta` of Python, which pickle alone can carry: days, seconds and microseconds, normalised as Python does. */
export class TimeDelta {
  /** The only part that may be negative. */
  readonly days: number
  /** 0 to 86,399. */
  readonly seconds: number
  /** 0 to 999,999. */
  readonly microseconds: number

  /** @throws RangeError for what is no integer, or beyond Python's 999,999,999 days. */
  constructor(days: number, seconds: number = 0, microseconds: number = 0) {
    const allSeconds = seconds + Math.floor(microseconds / 1e6)
    this.days = days + Math.floor(allSeconds / 86_400)
    this.seconds = modulo(allSeconds, 86_400)
    this.microseconds = modulo(microseconds, 1e6)
    const areIntegers = [days, seconds, microseconds].every(Number.isSafeInteger)
    if (!areIntegers || Math.abs(this.days) > 999_999_999) {
      throw new RangeError(`there is no time span of ${days} days, ${seconds} seconds, ${microseconds} microseconds`)
    }
  }

  /** Cut to the millisecond. */
  toMilliseconds(): number {
    return (this.days * 86_400 + this.seconds) * 1000 + Math.floor(this.microseconds / 1000)
  }

  /** Seconds, with a fraction. */
  toSeconds(): number {
    return this.days * 86_400 + this.seconds + this.microseconds / 1e6
  }

  /** Keeps it from being written as three fields where the format has no word for it. */
  get [Symbol.toStringTag](): string {
    return 'TimeDelta'
  }
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor
}
