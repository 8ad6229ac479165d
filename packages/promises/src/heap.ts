/** What a {@link Heap} holds: it knows its own place, so that it can be taken out from the middle. */
export interface HeapNode {
  /** Place in the heap, kept by the heap; `-1` when not in one. */
  index: number
}

/** A binary heap, smallest first, from which any node can be removed in logarithmic time. */
export class Heap<N extends HeapNode> {
  readonly #nodes: N[] = []
  readonly #isBefore: (a: N, b: N) => boolean

  constructor(isBefore: (a: N, b: N) => boolean) {
    this.#isBefore = isBefore
  }

  get size(): number {
    return this.#nodes.length
  }

  /** The first node, left where it is. */
  get first(): N | undefined {
    return this.#nodes[0]
  }

  add(node: N): void {
    this.#nodes.push(node)
    this.#rise(node, this.#nodes.length - 1)
  }

  /** Takes `node` out; false if it was not in the heap. */
  remove(node: N): boolean {
    const { index } = node
    if (index === -1 || this.#nodes[index] !== node) return false
    node.index = -1
    const last = this.#nodes.pop()
    if (last === undefined || last === node) return true
    // The last node fills the gap; it may belong above or below it.
    this.#rise(last, index)
    this.#sink(last, last.index)
    return true
  }

  clear(): void {
    for (const node of this.#nodes.splice(0)) node.index = -1
  }

  #rise(node: N, from: number): void {
    let index = from
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = this.#nodes[above]
      if (parent === undefined || !this.#isBefore(node, parent)) break
      this.#put(parent, index)
      index = above
    }
    this.#put(node, index)
  }

  #sink(node: N, from: number): void {
    let index = from
    for (;;) {
      const left = 2 * index + 1
      const leftChild = this.#nodes[left]
      if (leftChild === undefined) break
      const rightChild = this.#nodes[left + 1]
      const rightIsFirst = rightChild !== undefined && this.#isBefore(rightChild, leftChild)
      const child = rightIsFirst ? rightChild : leftChild
      if (!this.#isBefore(child, node)) break
      this.#put(child, index)
      index = rightIsFirst ? left + 1 : left
    }
    this.#put(node, index)
  }

  #put(node: N, index: number): void {
    this.#nodes[index] = node
    node.index = index
  }
}
