import { DateTime, Decimal, PlainDate, TimeDelta, TimeOfDay, Uuid } from '../src/index.ts'

/** How Python would show a value that was read, so that recorded and live Python can be compared with. */
export function pythonRepr(value: unknown): string {
  if (value === null) return 'None'
  switch (typeof value) {
    case 'boolean':
      return value ? 'True' : 'False'
    case 'bigint':
      return String(value)
    case 'number':
      return numberRepr(value)
    case 'string':
      return stringRepr(value)
  }
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`
  if (value instanceof Map) return dictRepr([...value])
  if (value instanceof Set) return value.size === 0 ? 'set()' : `{${[...value].map(pythonRepr).join(', ')}}`
  if (value instanceof Uint8Array) return `b${quoted(Buffer.from(value).toString('latin1'), bytesEscape)}`
  if (value instanceof Date) {
    const { fields } = DateTime.from(value)
    const { year, month, day } = fields
    return `datetime.datetime(${[year, month, day, ...clockArguments(fields)].join(', ')})`
  }
  if (value instanceof PlainDate) return `datetime.date(${value.year}, ${value.month}, ${value.day})`
  if (value instanceof TimeOfDay) return `datetime.time(${clockArguments(value).join(', ')})`
  if (value instanceof TimeDelta) return deltaRepr(value)
  if (value instanceof Decimal) return `Decimal('${value}')`
  if (value instanceof Uuid) return `UUID('${value}')`
  return dictRepr(Object.entries(value as object))
}

function numberRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Object.is(value, -0)) return '-0.0'
  // Integers that a number holds are integers to Python too.
  if (Number.isSafeInteger(value)) return String(value)
  const [mantissa = '', exponent = ''] = value.toExponential().split('e')
  const power = Number(exponent)
  if (power >= -4 && power < 16) return String(value)
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

function dictRepr(entries: readonly (readonly [unknown, unknown])[]): string {
  return `{${entries.map(([key, value]) => `${pythonRepr(key)}: ${pythonRepr(value)}`).join(', ')}}`
}

function clockArguments(clock: {
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly microsecond: number
  readonly offsetSeconds: number | undefined
}): (number | string)[] {
  const { hour, minute, second, microsecond, offsetSeconds } = clock
  const fraction = microsecond === 0 ? [] : [microsecond]
  const seconds = second === 0 && microsecond === 0 ? [] : [second]
  const zone = offsetSeconds === undefined ? [] : [`tzinfo=${zoneRepr(offsetSeconds)}`]
  return [hour, minute, ...seconds, ...fraction, ...zone]
}

function zoneRepr(offsetSeconds: number): string {
  if (offsetSeconds === 0) return 'datetime.timezone.utc'
  return `datetime.timezone(${deltaRepr(new TimeDelta(0, offsetSeconds))})`
}

function deltaRepr({ days, seconds, microseconds }: TimeDelta): string {
  const parts = Object.entries({ days, seconds, microseconds }).filter(([, value]) => value !== 0)
  return `datetime.timedelta(${parts.map(([name, value]) => `${name}=${value}`).join(', ') || '0'})`
}

function stringRepr(value: string): string {
  return quoted(value, (char) => {
    if (char === ' ' || !/[\p{C}\p{Z}]/u.test(char)) return char
    const point = char.codePointAt(0) ?? 0
    if (point < 0x100) return `\\x${hex(point, 2)}`
    return point > 0xffff ? `\\U${hex(point, 8)}` : `\\u${hex(point, 4)}`
  })
}

function bytesEscape(char: string): string {
  const code = char.charCodeAt(0)
  return code >= 0x20 && code < 0x7f ? char : `\\x${hex(code, 2)}`
}

function quoted(text: string, escapeChar: (char: string) => string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const short: Readonly<Record<string, string>> = {
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\\': '\\\\',
    [quote]: `\\${quote}`,
  }
  return quote + Array.from(text, (char) => short[char] ?? escapeChar(char)).join('') + quote
}

function hex(value: number, length: number): string {
  return value.toString(16).padStart(length, '0')
}
