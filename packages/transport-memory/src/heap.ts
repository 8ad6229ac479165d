/** A queue that gives the first item by `isBefore`; adding what belongs at the end takes constant time. */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #isBefore: (a: T, b: T) => boolean

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore
  }

  get size(): number {
    return this.#items.length
  }

  /** In no order. */
  get items(): readonly T[] {
    return this.#items
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    const items = this.#items
    let at = items.length
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = items[parentAt] as T
      if (!this.#isBefore(item, parent)) break
      items[at] = parent
      at = parentAt
    }
    items[at] = item
  }

  pop(): T | undefined {
    const items = this.#items
    const first = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return first
    this.#sink(last)
    return first
  }

  clear(): void {
    this.#items.length = 0
  }

  /** Finds the place of `item` from the root down, which is empty. */
  #sink(item: T): void {
    const items = this.#items
    const { length } = items
    let at = 0
    for (;;) {
      let childAt = 2 * at + 1
      if (childAt >= length) break
      const rightAt = childAt + 1
      if (rightAt < length && this.#isBefore(items[rightAt] as T, items[childAt] as T)) childAt = rightAt
      const child = items[childAt] as T
      if (!this.#isBefore(child, item)) break
      items[at] = child
      at = childAt
    }
    items[at] = item
  }
}
