/** What a pickle remembers by number. Numbers come in turn, for Python counts; any other is possible. */
export class Memo {
  readonly #inTurn: unknown[] = []
  readonly #others = new Map<number, unknown>()

  /** The number that Python would give next. */
  get size(): number {
    return this.#inTurn.length + this.#others.size
  }

  has(index: number): boolean {
    return index < this.#inTurn.length || this.#others.has(index)
  }

  get(index: number): unknown {
    return index < this.#inTurn.length ? this.#inTurn[index] : this.#others.get(index)
  }

  set(index: number, value: unknown): void {
    if (index < this.#inTurn.length) this.#inTurn[index] = value
    else if (index === this.#inTurn.length && this.#others.size === 0) this.#inTurn.push(value)
    else this.#others.set(index, value)
  }
}
