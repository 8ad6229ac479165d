/**
 * Sees in the bytes of a connection that the server has sent an invalidation, which ioredis does not pass on. Any bytes
 * that look like one wake as well: whoever is woken looks for itself.
 */
export class Invalidations {
  readonly #listeners = new Set<() => void>()
  /** The end of the last chunk, since the word may be cut in two. */
  #rest: Buffer = Buffer.alloc(0)

  listen(run: () => void): () => void {
    const listener = (): void => run()
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#rest = Buffer.alloc(0)
    }
  }

  /** Looks only while somebody listens. */
  read(chunk: Buffer): void {
    if (this.#listeners.size === 0) return
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const found = bytes.includes(word)
    this.#rest = found ? Buffer.alloc(0) : Buffer.from(bytes.subarray(-(word.length - 1)))
    if (found) for (const listener of [...this.#listeners]) listener()
  }
}

/** How a push message of two parts begins whose first part is `invalidate`. */
const word = Buffer.from('>2\r\n$10\r\ninvalidate\r\n')
