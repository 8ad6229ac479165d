/** How far the memory of processes has risen since it settled. */
export class MemoryWatch {
  readonly #settling: number
  readonly #settled = new Map<number, number>()
  #samples = 0
  #rise = 0

  /** @param settling - Samples at the beginning that only say where memory settles. */
  constructor(settling: number) {
    this.#settling = Math.max(1, settling)
  }

  /** Bytes by process. One that is new has its own first sample to be compared with. */
  note(memory: ReadonlyMap<number, number>): void {
    this.#samples++
    for (const [pid, bytes] of memory) {
      const settled = this.#settled.get(pid)
      if (settled === undefined || this.#samples <= this.#settling)
        this.#settled.set(pid, Math.max(settled ?? 0, bytes))
      else this.#rise = Math.max(this.#rise, bytes - settled)
    }
  }

  /** The highest rise of any process, in bytes. */
  get rise(): number {
    return this.#rise
  }
}
