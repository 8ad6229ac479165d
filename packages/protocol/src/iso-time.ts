const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?)?$/

/**
 * Reads a time as Python's `isoformat()` and others write it: with offset, `Z` or neither, and any fraction of a
 * second; digits beyond the millisecond are dropped.
 *
 * @param fromLocal - What a time without offset means: from milliseconds as if it were UTC to milliseconds since 1970.
 *   By default it is UTC.
 * @returns milliseconds since 1970, or `undefined` where the text is no time of the years 1 to 9999.
 */
export function parseIsoTime(text: string, fromLocal?: (localMs: number) => number): number | undefined {
  if (text.length > 64) return undefined
  const match = ISO.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match
  const date = new Date(0)
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (Number(year) < 1 || date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day))
    return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const milliseconds = Number(fraction.slice(0, 3).padEnd(3, '0'))
  const ms = date.getTime() + ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000 + milliseconds
  if (zone === undefined) return fromLocal === undefined ? ms : fromLocal(ms)
  const offset = zone.length === 1 ? 0 : offsetMs(zone)
  return offset === undefined ? undefined : ms - offset
}

/** `+01:30`, `-0500`, `+01`, `+00:19:32`. */
function offsetMs(zone: string): number | undefined {
  const digits = zone.slice(1).replaceAll(':', '')
  const hours = Number(digits.slice(0, 2))
  const minutes = Number(digits.slice(2, 4))
  const seconds = Number(digits.slice(4, 6))
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined
  const size = ((hours * 60 + minutes) * 60 + seconds) * 1000
  return zone.startsWith('-') ? -size : size
}

const FIRST_MS = -62_135_596_800_000 // 0001-01-01
const LAST_MS = 253_402_300_799_999 // 9999-12-31

/** Whether it is a time of the years 1 to 9999, which Python knows. */
export function isWritableTime(epochMs: number): boolean {
  return epochMs >= FIRST_MS && epochMs <= LAST_MS
}

/**
 * Writes a time as Python's `isoformat()` does in UTC: `2030-01-02T03:04:05.678000+00:00`, without the fraction where
 * it is zero; a fraction of a millisecond goes as far as microseconds. Never `Z`, which Python before 3.11 cannot read.
 * @throws RangeError outside of the years 1 to 9999, which Python knows.
 */
export function formatIsoTime(epochMs: number): string {
  if (!isWritableTime(epochMs)) throw new RangeError(`not a time of the years 1 to 9999: ${epochMs}`)
  const floor = Math.floor(epochMs)
  const micros = Math.round((epochMs - floor) * 1000)
  const text = new Date(micros === 1000 ? floor + 1 : floor).toISOString()
  const fraction = `${text.slice(20, 23)}${micros === 1000 ? '000' : String(micros).padStart(3, '0')}`
  return fraction === '000000' ? `${text.slice(0, 19)}+00:00` : `${text.slice(0, 19)}.${fraction}+00:00`
}
