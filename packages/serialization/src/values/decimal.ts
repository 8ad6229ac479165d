/**
 * As Python reads them: digits with a point and an exponent, infinities, NaN with or without a payload. Nothing in it can
 * match in two ways: the time would grow with the square of the digits.
 */
const DECIMAL = /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|s?nan\d*)$/i

/**
 * A `Decimal` of Python, kept as its text, so that `1.10` stays `1.10`. It does no arithmetic: give `toString()` to the
 * library you calculate with.
 */
export class Decimal {
  readonly text: string

  /** @throws RangeError where Python would not read it. */
  constructor(text: string) {
    if (!DECIMAL.test(text)) throw new RangeError(`${JSON.stringify(text.slice(0, 50))} is no decimal number`)
    this.text = text
  }

  /** The nearest number. */
  toNumber(): number {
    const number = Number(this.text)
    if (!Number.isNaN(number) || /nan/i.test(this.text)) return number
    return this.text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  toString(): string {
    return this.text
  }

  toJSON(): string {
    return this.text
  }
}
