/**
 * A small generator of random numbers (mulberry32) that anybody can start again from the same seed. Several streams of
 * one seed are independent of each other, so that one part of a run may draw more without changing the others.
 */
export class Random {
  #state: number

  constructor(seed: number, stream: number = 0) {
    this.#state = mix(mix(seed) ^ Math.imul(stream + 1, 0x9e37_79b1))
  }

  /** At least 0 and below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0
    return mix(this.#state) / 2 ** 32
  }

  /** A whole number, at least 0 and below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next()
  }

  /** One of `items`; `undefined` of none. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)]
  }

  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items]
    for (let index = shuffled.length - 1; index > 0; index--) {
      const other = this.below(index + 1)
      const moved = shuffled[index] as T
      shuffled[index] = shuffled[other] as T
      shuffled[other] = moved
    }
    return shuffled
  }
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 15), value | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return (mixed ^ (mixed >>> 14)) >>> 0
}
