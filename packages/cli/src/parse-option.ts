import { InvalidArgumentError } from 'commander'

/** Reads an option's value as JSON of one shape. */
export function parseJsonOption<T>(shape: string, matches: (value: unknown) => boolean): (text: string) => T {
  return (text) => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      throw new InvalidArgumentError(`It must be ${shape} in JSON: ${(error as Error).message}.`)
    }
    if (!matches(value)) throw new InvalidArgumentError(`It must be ${shape} in JSON.`)
    return value as T
  }
}

export function parseNumberOption(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.')
  return value
}

/** A number that is not negative: seconds, or a multiplier. */
export function parseAmountOption(text: string): number {
  const value = parseNumberOption(text)
  if (value < 0) throw new InvalidArgumentError('It must not be negative.')
  return value
}

/** A moment in ISO 8601. */
export function parseTimeOption(text: string): Date {
  const value = new Date(text)
  if (Number.isNaN(value.getTime())) throw new InvalidArgumentError('It must be a time such as 2030-01-31T12:00:00Z.')
  return value
}

/** Seconds from now, or a moment in ISO 8601. */
export function parseMomentOption(text: string): number | Date {
  return /^\s*[-+]?[\d.]+\s*$/.test(text) ? parseNumberOption(text) : parseTimeOption(text)
}

export function parseCountOption(text: string): number {
  const value = parseNumberOption(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.')
  return value
}

/** A number of which 0 means something of its own. */
export function parseSizeOption(text: string): number {
  const value = parseNumberOption(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('It must be a whole number, 0 or more.')
  return value
}

/** A port to listen on; 0 is any that is free. */
export function parsePortOption(text: string): number {
  const value = parseSizeOption(text)
  if (value > 65_535) throw new InvalidArgumentError('It must be at most 65535.')
  return value
}

/** Words separated by commas. */
export function parseListOption(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** A mask of file modes, octal as in a shell. */
export function parseMaskOption(text: string): number {
  if (!/^(0o?)?[0-7]{1,3}$/.test(text)) throw new InvalidArgumentError('It must be an octal number such as 022.')
  return Number.parseInt(text.replace('o', ''), 8)
}
