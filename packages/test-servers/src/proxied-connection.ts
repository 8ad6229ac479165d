import type { Socket } from 'node:net'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { PatternSearch } from './pattern-search.ts'
import type { ProxyFaults, SetTrap } from './proxy-faults.ts'

export type Direction = 'toServer' | 'toClient'

/** One connection through the proxy: two lanes of bytes, each in its order. */
export class ProxiedConnection {
  readonly #client: Socket
  readonly #server: Socket
  readonly #faults: ProxyFaults
  readonly #onClose: () => void
  readonly #lanes: readonly Lane[]
  /** Whether nothing of it arrives any more. */
  isSilent = false
  /** Requests that were forwarded and whose reply is to be cut. */
  readonly #cutNextReply: SetTrap[] = []

  constructor(client: Socket, server: Socket, faults: ProxyFaults, onClose: () => void) {
    this.#client = client
    this.#server = server
    this.#faults = faults
    this.#onClose = onClose
    this.#lanes = [
      new Lane('toServer', client, server, faults, this),
      new Lane('toClient', server, client, faults, this),
    ]
    let open = 2
    for (const [socket, other] of [[client, server] as const, [server, client] as const]) {
      socket.on('error', () => {
        // A reset arrives as one, unless nothing is to arrive.
        if (!this.#swallowsAny()) resetSocket(other)
      })
      socket.on('close', () => {
        open -= 1
        if (open === 0) onClose()
        // Where the ends are swallowed, the other side goes on as if nothing had happened.
        else if (!this.#swallowsAny() && !other.writableEnded) other.destroy()
      })
    }
  }

  /** Whether some of what was sent, or the end of it, did not arrive. */
  get hasLost(): boolean {
    return this.#lanes.some((lane) => lane.hasLost)
  }

  swallows(direction: Direction): boolean {
    return this.isSilent || this.#faults.swallowed.has(direction)
  }

  reset(): void {
    this.#onClose()
    for (const socket of [this.#client, this.#server]) resetSocket(socket)
  }

  /** Called for every piece before it is forwarded. Returns how much of it is, and whether the connection is reset then. */
  inspect(lane: Lane, chunk: Buffer): { readonly forward: number; readonly reset: boolean } {
    const { direction } = lane
    if (direction === 'toClient') {
      for (const request of this.#cutNextReply.splice(0)) if (request.spring()) return { forward: 0, reset: true }
    }
    for (const set of [...this.#faults.traps]) {
      const { trap } = set
      if (trap.kind === 'bytes' && trap.direction === direction) {
        const forward = trap.bytes - lane.forwardedSince(set)
        if (forward <= chunk.length && set.spring()) return { forward: Math.max(0, forward), reset: true }
      } else if (trap.kind === 'reply' && direction === 'toClient') {
        const start = lane.find(set, trap.pattern, chunk)
        if (start !== undefined && set.spring()) return { forward: start, reset: true }
      } else if (trap.kind === 'request' && direction === 'toServer') {
        if (lane.find(set, trap.pattern, chunk) !== undefined) this.#cutNextReply.push(set)
      }
    }
    return { forward: chunk.length, reset: false }
  }

  #swallowsAny(): boolean {
    return this.swallows('toServer') || this.swallows('toClient')
  }
}

function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy()
  } catch {
    // One in the file system knows no reset.
    socket.destroy()
  }
}

interface Piece {
  readonly chunk: Buffer
  readonly dueAt: number
}

/** Bytes that wait make their sender wait: a slow lane must not fill the memory. */
const HIGH_WATER = 1024 * 1024

class Lane {
  readonly direction: Direction
  readonly #from: Socket
  readonly #to: Socket
  readonly #faults: ProxyFaults
  readonly #connection: ProxiedConnection
  readonly #pieces: Piece[] = []
  readonly #searches = new WeakMap<SetTrap, PatternSearch>()
  readonly #countedFrom = new WeakMap<SetTrap, number>()
  #waitingBytes = 0
  #forwarded = 0
  #hasLost = false
  #hasEnded = false
  #isRunning = false
  #lastDueAt = 0

  constructor(direction: Direction, from: Socket, to: Socket, faults: ProxyFaults, connection: ProxiedConnection) {
    this.direction = direction
    this.#from = from
    this.#to = to
    this.#faults = faults
    this.#connection = connection
    from.on('data', (chunk: Buffer) => this.#take(chunk))
    from.on('end', () => {
      this.#hasEnded = true
      this.#start()
    })
  }

  get hasLost(): boolean {
    return this.#hasLost
  }

  /** Bytes that were forwarded since the trap was first looked at. */
  forwardedSince(set: SetTrap): number {
    const from = this.#countedFrom.get(set) ?? this.#forwarded
    this.#countedFrom.set(set, from)
    return this.#forwarded - from
  }

  /** Where in the piece a pattern is that ends in it; 0 where it began in an earlier one. */
  find(set: SetTrap, pattern: string | RegExp, chunk: Buffer): number | undefined {
    const search = this.#searches.get(set) ?? new PatternSearch(pattern)
    this.#searches.set(set, search)
    return search.next(chunk)
  }

  #take(chunk: Buffer): void {
    const now = performance.now()
    // Never before the one in front of it.
    this.#lastDueAt = Math.max(this.#lastDueAt, now + this.#faults.delayMs())
    this.#pieces.push({ chunk, dueAt: this.#lastDueAt })
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes > HIGH_WATER) this.#from.pause()
    this.#start()
  }

  #start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#run().finally(() => {
      this.#isRunning = false
    })
  }

  async #run(): Promise<void> {
    for (let piece = this.#pieces.shift(); piece !== undefined; piece = this.#pieces.shift()) {
      const waitMs = piece.dueAt - performance.now()
      if (waitMs > 0) await delay(waitMs, undefined, { ref: false })
      await this.#forward(piece.chunk)
      this.#waitingBytes -= piece.chunk.length
      if (this.#waitingBytes <= HIGH_WATER / 2) this.#from.resume()
    }
    if (!this.#hasEnded) return
    if (this.#connection.swallows(this.direction)) this.#hasLost = true
    else this.#to.end()
  }

  async #forward(whole: Buffer): Promise<void> {
    for (let rest = whole; rest.length > 0; ) {
      if (this.#connection.swallows(this.direction)) {
        this.#hasLost = true
        this.#faults.lostBytes += rest.length
        return
      }
      const chunk = rest.subarray(0, this.#faults.pieceBytes)
      rest = rest.subarray(chunk.length)
      const { forward, reset } = this.#connection.inspect(this, chunk)
      await this.#write(chunk.subarray(0, forward))
      if (reset) return this.#connection.reset()
    }
  }

  async #write(chunk: Buffer): Promise<void> {
    if (chunk.length === 0 || this.#to.destroyed || this.#to.writableEnded) return
    this.#forwarded += chunk.length
    const { bytesPerSecond, sliceBytes } = this.#faults
    if (Number.isFinite(bytesPerSecond)) await delay((chunk.length / bytesPerSecond) * 1000, undefined, { ref: false })
    // What is reset next must have left before, and slices must not be joined again. An error has its own event.
    await new Promise<void>((resolve) => this.#to.write(chunk, () => resolve()))
    if (Number.isFinite(sliceBytes)) await nextTurn()
  }
}
