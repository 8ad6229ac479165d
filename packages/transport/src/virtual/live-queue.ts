import type { Binding } from '../broker-connection.ts'

/** A message that a queue has heard. */
export interface HeardMessage {
  readonly payload: string | Uint8Array
  readonly redeliveries: number
}

/** Most that is kept for whoever fetches from a queue; beyond that the oldest go. */
const maxMessages = 10_000
const maxBytes = 64 * 1024 * 1024

/** What one queue has heard and nobody has fetched yet: bounded, as nobody keeps a publisher from publishing more. */
export class LiveQueue {
  readonly name: string
  /** By routing key, of each exchange. */
  readonly bindings: Map<string, Binding> = new Map()
  /** Somebody has fetched from it. */
  wasUsed = false
  /** It hears nothing until somebody fetches from it. */
  isAsleep = false
  /** It was asleep, and begins to listen again. */
  waking: Promise<void> | undefined
  /** Messages that were too many. */
  dropped = 0
  /** When somebody may be told of them again, by `performance.now()`. */
  warnAtMs = 0
  readonly #heard: HeardMessage[] = []
  #bytes = 0

  constructor(name: string) {
    this.name = name
  }

  get size(): number {
    return this.#heard.length
  }

  /** Says how many messages had to go for it. */
  add(message: HeardMessage): number {
    this.#heard.push(message)
    this.#bytes += message.payload.length
    let dropped = 0
    while (this.#heard.length > maxMessages || (this.#bytes > maxBytes && this.#heard.length > 1)) {
      this.take(1)
      dropped++
    }
    return dropped
  }

  putBack(message: HeardMessage): void {
    this.#heard.unshift(message)
    this.#bytes += message.payload.length
  }

  take(max: number): readonly HeardMessage[] {
    const taken = this.#heard.splice(0, max)
    for (const { payload } of taken) this.#bytes -= payload.length
    return taken
  }
}
