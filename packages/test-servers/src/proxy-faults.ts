import type { Direction } from './proxied-connection.ts'

/** What resets one connection, once. */
export type Trap =
  | { readonly kind: 'bytes'; readonly direction: Direction; readonly bytes: number }
  | { readonly kind: 'reply'; readonly pattern: string | RegExp }
  | { readonly kind: 'request'; readonly pattern: string | RegExp }

/** A trap that waits for a connection to step into it. */
export interface SetTrap {
  readonly trap: Trap
  /** Takes it away and tells who set it. Returns false where another connection was first. */
  spring(): boolean
}

/** The faults that are switched on, shared by all connections of a proxy. */
export class ProxyFaults {
  latencyMs = 0
  jitterMs = 0
  bytesPerSecond: number = Number.POSITIVE_INFINITY
  sliceBytes: number = Number.POSITIVE_INFINITY
  /** So far, by all connections. */
  lostBytes = 0
  readonly swallowed: Set<Direction> = new Set()
  readonly traps: Set<SetTrap> = new Set()
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  /** Milliseconds by which the next piece is late. */
  delayMs(): number {
    return Math.max(0, this.latencyMs + (2 * this.#random() - 1) * this.jitterMs)
  }

  /** How much is forwarded at once: what a narrow line carries in a twentieth of a second, at most a slice. */
  get pieceBytes(): number {
    return Math.max(1, Math.floor(Math.min(this.sliceBytes, this.bytesPerSecond / 20)))
  }

  /** Resolves when a connection has stepped into it; never, where it is cleared before. */
  addTrap(trap: Trap): Promise<void> {
    return new Promise((resolve) => {
      const set: SetTrap = {
        trap,
        spring: () => {
          if (!this.traps.delete(set)) return false
          resolve()
          return true
        },
      }
      this.traps.add(set)
    })
  }

  clear(): void {
    this.latencyMs = 0
    this.jitterMs = 0
    this.bytesPerSecond = Number.POSITIVE_INFINITY
    this.sliceBytes = Number.POSITIVE_INFINITY
    this.swallowed.clear()
    this.traps.clear()
  }
}
