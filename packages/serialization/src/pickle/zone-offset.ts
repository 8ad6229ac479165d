import type { CalendarFields, ClockFields } from '../values/iso-time.ts'
import { utcMilliseconds } from '../values/iso-time.ts'

/**
 * Seconds east of UTC of a clock in a zone such as `Europe/Paris` at the time it shows. Where it shows a time twice the
 * first one counts, as in Python without `fold`. @throws RangeError for an unknown zone.
 */
export function zoneOffset(zone: string, fields: CalendarFields & ClockFields): number {
  const shown = utcMilliseconds(fields, fields)
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  // Offsets of the day before and the day after; where they differ, one of them fits.
  const before = offsetAt(format, shown - 86_400_000)
  return offsetAt(format, shown - before) === before ? before / 1000 : offsetAt(format, shown + 86_400_000) / 1000
}

/** In milliseconds. */
function offsetAt(format: Intl.DateTimeFormat, instant: number): number {
  const whole = Math.floor(instant / 1000) * 1000
  const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {}
  for (const { type, value } of format.formatToParts(whole)) part[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part
  const local = utcMilliseconds(
    { year, month, day },
    { hour, minute, second, microsecond: 0, offsetSeconds: undefined },
  )
  return local - whole
}
