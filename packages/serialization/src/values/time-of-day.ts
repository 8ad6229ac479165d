import { type ClockFields, checkClock, formatClock, parseClock } from './iso-time.ts'

/** A `time` of Python: what a clock shows, with or without an offset from UTC. */
export class TimeOfDay {
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** 0 to 999,999. */
  readonly microsecond: number
  /** Seconds east of UTC; `undefined` for a naive one. */
  readonly offsetSeconds: number | undefined

  /** @param text `03:04:05.678901` @throws RangeError where it is no time of day. */
  constructor(text: string) {
    const { hour, minute, second, microsecond, offsetSeconds } = parseClock(text)
    this.hour = hour
    this.minute = minute
    this.second = second
    this.microsecond = microsecond
    this.offsetSeconds = offsetSeconds
  }

  /** @throws RangeError where there is no such time. */
  static of(fields: ClockFields): TimeOfDay {
    return new TimeOfDay(formatClock(checkClock(fields)))
  }

  /** As Python's `isoformat()`. */
  toString(): string {
    return formatClock(this)
  }

  toJSON(): string {
    return this.toString()
  }
}
