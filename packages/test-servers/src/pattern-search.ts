/** How far back a pattern may begin that ends in the piece at hand. */
const KEPT = 4096

/** Finds a pattern in bytes that come in pieces, also where it is cut in two. Texts are looked at as bytes, not as UTF-8. */
export class PatternSearch {
  readonly #pattern: string | RegExp
  #tail = ''

  constructor(pattern: string | RegExp) {
    // A pattern with state would begin where it last ended.
    this.#pattern =
      typeof pattern === 'string'
        ? Buffer.from(pattern).toString('latin1')
        : new RegExp(pattern, pattern.flags.replace(/[gy]/g, ''))
  }

  /** Where in this piece the pattern begins; 0 where it began in an earlier one; undefined where it is not complete. */
  next(chunk: Buffer): number | undefined {
    const text = this.#tail + chunk.toString('latin1')
    const found = typeof this.#pattern === 'string' ? text.indexOf(this.#pattern) : text.search(this.#pattern)
    const start = found - this.#tail.length
    // What has been looked at stays, but for what a match was found in.
    this.#tail = found < 0 ? text.slice(-KEPT) : ''
    return found < 0 ? undefined : Math.max(0, start)
  }
}
