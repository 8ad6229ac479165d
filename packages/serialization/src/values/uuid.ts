const HEX = /^[0-9a-f]{32}$/

/** A `UUID` of Python. Where nothing has to arrive as one, a string is simpler. */
export class Uuid {
  /** 32 lower-case digits without dashes. */
  readonly hex: string

  /** @param text with or without dashes, braces and `urn:uuid:` @throws RangeError where it is none. */
  constructor(text: string) {
    const hex = text
      .toLowerCase()
      .replace(/^urn:uuid:/, '')
      .replace(/[{}-]/g, '')
    if (!HEX.test(hex)) throw new RangeError(`${JSON.stringify(text.slice(0, 50))} is no UUID`)
    this.hex = hex
  }

  /** `12345678-1234-4234-8234-123456789abc` */
  toString(): string {
    return this.hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  }

  toJSON(): string {
    return this.toString()
  }
}
