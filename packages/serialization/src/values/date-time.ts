import {
  type CalendarFields,
  type ClockFields,
  checkCalendar,
  checkClock,
  formatCalendar,
  formatClock,
  parseCalendar,
  parseClock,
  utcMilliseconds,
} from './iso-time.ts'

/**
 * A `datetime` of Python: a `Date` that also keeps the microseconds and the offset from UTC, so that nothing is lost
 * between reading and writing it again. What a plain `Date` holds is read as one. Everything that takes a `Date` takes it.
 *
 * Without an offset ("naive") the fields are taken as UTC, which is what Celery means by them.
 * The methods of `Date` that set a part of it leave a plain `Date`: the rest is then forgotten.
 */
export class DateTime extends Date {
  readonly #fields: CalendarFields & ClockFields
  /** The time this was made with; another one means that a setter was called. */
  readonly #madeWith: number

  /**
   * @param time as Python's `isoformat()` gives it: `2024-01-02T03:04:05.678901+05:30`; or what it consists of
   * @throws RangeError where it is no such text, and where there is no such time.
   */
  constructor(time: string | (CalendarFields & ClockFields)) {
    const fields = typeof time === 'string' ? parseDateTime(time) : checkDateTime(time)
    super(utcMilliseconds(fields, fields) - Math.floor((fields.offsetSeconds ?? 0) * 1000))
    this.#fields = fields
    this.#madeWith = this.getTime()
  }

  /** At UTC, to the millisecond. @throws RangeError for an invalid date, and beyond the years 1 to 9999. */
  static from(date: Date): DateTime {
    return date instanceof DateTime ? date : new DateTime(formatInstant(date))
  }

  /** @throws RangeError where there is no such time. */
  static of(fields: CalendarFields & ClockFields): DateTime {
    return new DateTime(fields)
  }

  /** 0 to 999,999: the milliseconds and what is finer. */
  get microsecond(): number {
    return this.fields.microsecond
  }

  /** Seconds east of UTC; `undefined` for a naive one. */
  get offsetSeconds(): number | undefined {
    return this.fields.offsetSeconds
  }

  /** Year, month … as a clock in its own zone shows them. */
  get fields(): CalendarFields & ClockFields {
    return this.getTime() === this.#madeWith ? this.#fields : parseDateTime(formatInstant(this))
  }

  /** As Python's `isoformat()`: six digits of a fraction or none, the offset or nothing. */
  isoFormat(): string {
    const fields = this.fields
    return `${formatCalendar(fields)}T${formatClock(fields)}`
  }

  /** The same as {@link isoFormat}: nothing is lost in JSON without typed values either. */
  override toJSON(): string {
    return this.isoFormat()
  }
}

/**
 * A time that was read: a plain `Date` where that says all of it (at UTC, to the millisecond), so that what is written as a
 * `Date` comes back as one; else a {@link DateTime}. Throws as its constructor does.
 */
export function readDateTime(time: string | (CalendarFields & ClockFields)): Date {
  const exact = new DateTime(time)
  const { microsecond, offsetSeconds } = exact.fields
  return offsetSeconds === 0 && microsecond % 1000 === 0 ? new Date(exact.getTime()) : exact
}

/** As Python's `isoformat()`; a `Date` that is no {@link DateTime} is at UTC. @throws RangeError beyond Python's range. */
export function isoFormat(date: Date): string {
  if (date instanceof DateTime) return date.isoFormat()
  const text = formatInstant(date)
  // Six digits of a fraction or none.
  return text.includes('.000+') ? text.replace('.000+', '+') : text.replace('+', '000+')
}

function parseDateTime(text: string): CalendarFields & ClockFields {
  // Python puts "T" there, YAML a space.
  if (text.length > 10 && 'Tt '.includes(text.charAt(10))) {
    return { ...parseCalendar(text.slice(0, 10)), ...parseClock(text.slice(11)) }
  }
  return { ...parseCalendar(text), ...parseClock('00:00') }
}

function checkDateTime(fields: CalendarFields & ClockFields): CalendarFields & ClockFields {
  checkCalendar(fields)
  checkClock(fields)
  const { offsetSeconds } = fields
  // Minus zero would be another offset to whoever compares with Object.is.
  return { ...fields, offsetSeconds: offsetSeconds === 0 ? 0 : offsetSeconds }
}

function formatInstant(date: Date): string {
  const time = date.getTime()
  if (Number.isNaN(time)) throw new RangeError('the date is invalid')
  const plain = new Date(time)
  const year = plain.getUTCFullYear()
  if (year < 1 || year > 9999) throw new RangeError(`a datetime of Python lies in the years 1 to 9999, not in ${year}`)
  return plain.toISOString().replace('Z', '+00:00')
}
