import { readDateTime } from '../values/date-time.ts'
import { PlainDate } from '../values/plain-date.ts'

const INTEGER = /^([-+]?)(?:0b([01_]+)|0x([0-9a-fA-F_]+)|0([0-7_]+)|([1-9][0-9_]*(?::[0-5]?[0-9])+)|(0|[1-9][0-9_]*))$/
const DATE = /^\d{4}-\d\d-\d\d$/
const TIMESTAMP =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(?:(Z)|([-+])(\d\d?)(?::(\d\d))?))?$/

/** Python refuses longer ones too (`sys.set_int_max_str_digits`). */
const MAX_DIGITS = 4300

/**
 * An integer of YAML 1.1: decimal, `0b`, `0x`, octal with a 0 in front, or with colons as in hours and minutes;
 * `undefined` for anything else. @throws RangeError for too many digits.
 */
export function parseYamlInteger(source: string): number | bigint | undefined {
  const match = INTEGER.exec(source)
  if (match === null) return undefined
  // Also of those whose base is a power of two: they are quick to read, but not to write.
  if (source.length > MAX_DIGITS) throw new RangeError(`integer of more than ${MAX_DIGITS} digits`)
  const [, sign, binary, hexadecimal, octal, sexagesimal, decimal] = match.map((part) => part?.replaceAll('_', ''))
  const value = parseDigits(binary, hexadecimal, octal, sexagesimal, decimal)
  if (value === undefined) return undefined
  const signed = sign === '-' ? -value : value
  const number = Number(signed)
  return Number.isSafeInteger(number) ? number : signed
}

function parseDigits(
  binary: string | undefined,
  hexadecimal: string | undefined,
  octal: string | undefined,
  sexagesimal: string | undefined,
  decimal: string | undefined,
): bigint | undefined {
  if (sexagesimal !== undefined) return sexagesimal.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n)
  if (decimal !== undefined) return BigInt(decimal)
  const [prefix, digits] =
    binary !== undefined ? ['0b', binary] : hexadecimal !== undefined ? ['0x', hexadecimal] : ['0o', octal ?? '']
  return digits === '' ? undefined : BigInt(prefix + digits)
}

/** A date or a date and time; `undefined` for anything else. @throws RangeError for a day that does not exist. */
export function parseYamlTimestamp(source: string): Date | PlainDate | undefined {
  if (DATE.test(source)) return new PlainDate(source)
  const match = TIMESTAMP.exec(source)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', utc, sign, offsetHours, offsetMinutes = '0'] = match
  const offset = (sign === '-' ? -1 : 1) * (Number(offsetHours) * 3600 + Number(offsetMinutes) * 60)
  return readDateTime({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    microsecond: Number(fraction.slice(0, 6).padEnd(6, '0')),
    offsetSeconds: utc === undefined && sign === undefined ? undefined : utc === undefined && offset !== 0 ? offset : 0,
  })
}
