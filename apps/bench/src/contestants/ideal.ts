import type { Contestant, Readings } from '../suite.ts'
import { waitMs } from '../tasks.ts'

/** What a pool of so many slots would reach if nothing but waiting took any time. */
export class Ideal implements Contestant {
  readonly name: string
  readonly #slots: number

  constructor(name: string, slots: number) {
    this.name = name
    this.#slots = slots
  }

  async prepare(): Promise<void> {}

  async run(): Promise<Readings> {
    return { waitingRate: (this.#slots * 1_000) / waitMs }
  }

  async dispose(): Promise<void> {}
}
