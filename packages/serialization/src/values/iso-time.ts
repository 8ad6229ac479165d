import { quote } from '@celery/promises'

/** A date and a time of day, or one of them, as `datetime.isoformat()` writes them. */
export interface CalendarFields {
  readonly year: number
  /** From 1. */
  readonly month: number
  readonly day: number
}

export interface ClockFields {
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** 0 to 999,999. */
  readonly microsecond: number
  /** Seconds east of UTC, less than a day either way; `undefined` without zone ("naive" in Python). */
  readonly offsetSeconds: number | undefined
}

/** Named groups would be slower; these two are read by index below. */
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/
const TIME = /^(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:(Z)|([+-])(\d\d):?(\d\d)(?::?(\d\d(?:\.\d{1,6})?))?)?$/

/** `2024-01-02`. @throws RangeError */
export function parseCalendar(text: string): CalendarFields {
  const match = DATE.exec(text)
  if (match === null) throw new RangeError(`${quote(text, 50)} is no date as in 2024-01-31`)
  return checkCalendar({ year: Number(match[1]), month: Number(match[2]), day: Number(match[3]) })
}

/** `03:04`, `03:04:05.678901`, `03:04:05+05:30` or `03:04:05Z`. Digits beyond the microsecond are cut. @throws RangeError */
export function parseClock(text: string): ClockFields {
  const match = TIME.exec(text)
  if (match === null) throw new RangeError(`${quote(text, 50)} is no time as in 23:59:59.999999+05:30`)
  const [, hour, minute, second = '0', fraction = '', utc, sign, offsetHours, offsetMinutes, offsetSeconds = '0'] =
    match
  const offset =
    sign === undefined
      ? undefined
      : (sign === '-' ? -1 : 1) * (Number(offsetHours) * 3600 + Number(offsetMinutes) * 60 + Number(offsetSeconds))
  return checkClock({
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    microsecond: Number(fraction.slice(0, 6).padEnd(6, '0')),
    // Minus zero would be another offset to whoever compares with Object.is.
    offsetSeconds: utc === undefined ? (offset === 0 ? 0 : offset) : 0,
  })
}

/** Python's range: the years 1 to 9999. @throws RangeError */
export function checkCalendar(fields: CalendarFields): CalendarFields {
  const { year, month, day } = fields
  const isDate =
    isWithin(year, 1, 9999) &&
    isWithin(month, 1, 12) &&
    isWithin(day, 1, new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate())
  if (!isDate) throw new RangeError(`there is no date ${year}-${month}-${day} between the years 1 and 9999`)
  return fields
}

/** @throws RangeError */
export function checkClock(fields: ClockFields): ClockFields {
  const { hour, minute, second, microsecond, offsetSeconds } = fields
  const isTime =
    isWithin(hour, 0, 23) && isWithin(minute, 0, 59) && isWithin(second, 0, 59) && isWithin(microsecond, 0, 999_999)
  if (!isTime) throw new RangeError(`there is no time ${hour}:${minute}:${second} with ${microsecond} microseconds`)
  if (offsetSeconds !== undefined && !(Math.abs(offsetSeconds) < 86_400)) {
    throw new RangeError(`an offset from UTC is less than a day, not ${offsetSeconds} s`)
  }
  return fields
}

export function formatCalendar({ year, month, day }: CalendarFields): string {
  return `${pad(year, 4)}-${pad(month)}-${pad(day)}`
}

/** With six digits of a fraction or none, as in Python. */
export function formatClock({ hour, minute, second, microsecond, offsetSeconds }: ClockFields): string {
  const fraction = microsecond === 0 ? '' : `.${pad(microsecond, 6)}`
  return `${pad(hour)}:${pad(minute)}:${pad(second)}${fraction}${formatOffset(offsetSeconds)}`
}

function formatOffset(seconds: number | undefined): string {
  if (seconds === undefined) return ''
  // An offset may have microseconds too.
  const micros = Math.round(Math.abs(seconds) * 1e6)
  const whole = Math.floor(micros / 1e6)
  const rest = micros % 1e6
  const text = `${seconds < 0 ? '-' : '+'}${pad(Math.floor(whole / 3600))}:${pad(Math.floor(whole / 60) % 60)}`
  if (whole % 60 === 0 && rest === 0) return text
  return `${text}:${pad(whole % 60)}${rest === 0 ? '' : `.${pad(rest, 6)}`}`
}

/** Milliseconds since 1970 of what a clock at UTC would show. `Date.UTC` alone takes the years 0 to 99 for 1900 to 1999. */
export function utcMilliseconds({ year, month, day }: CalendarFields, clock: ClockFields): number {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return date.setUTCHours(clock.hour, clock.minute, clock.second, Math.floor(clock.microsecond / 1000))
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

function pad(value: number, length: number = 2): string {
  return String(value).padStart(length, '0')
}
