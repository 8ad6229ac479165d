/** Bytes of a title that are kept. */
const mostBytes = 1_020

/** A line of text in memory that another thread can read while this one is blocked. */
export class LastTitle {
  readonly shared: SharedArrayBuffer = new SharedArrayBuffer(4 + mostBytes)
  readonly #length = new Int32Array(this.shared, 0, 1)
  readonly #bytes = Buffer.from(this.shared, 4)

  set(title: string): void {
    this.#length[0] = this.#bytes.write(title)
  }
}

/** Reads what {@link LastTitle} has written; `''` before the first. */
export function readTitle(shared: SharedArrayBuffer): string {
  const length = Atomics.load(new Int32Array(shared, 0, 1), 0)
  return Buffer.from(shared, 4, length).toString()
}
