/**
 * What the pool and its children say to each other: frames, back to back, on two pipes.
 *
 * ```
 * u32 length   of everything after this field          u32 aux      meaning depends on the kind
 * u8  kind     FrameKind, plus 0x80 if body is text    u32 header   length of the header
 * u32 seq      number of the job, 0 if none            header       JSON, may be empty
 *                                                      body         the rest
 * ```
 *
 * Numbers are little-endian. Jobs go down on descriptor 3 and replies come up on descriptor 4: a failed write to a
 * child that just died must not cost the replies it had already written, and it would on one shared socket.
 */
import { CorruptFrameError, MessageTooLargeError } from './errors.ts'

export const FrameKind = {
  // pool to child
  init: 1,
  job: 2,
  cancel: 3,
  abort: 4,
  close: 5,
  // child to pool
  ready: 16,
  startFailed: 17,
  started: 18,
  reply: 19,
  failed: 20,
  cancelled: 21,
  returned: 22,
  retire: 23,
  crashed: 24,
} as const

/** Raised when the meaning of a frame changes, because pool and child may come from two installed copies. */
export const PROTOCOL_VERSION = 1

/** The largest message either side accepts, header and body together. A larger length is taken for garbage. */
export const MAX_MESSAGE_BYTES: number = 256 * 1024 * 1024

const PRELUDE_BYTES = 17
const TEXT = 0x80
const LARGE_BYTES = 16 * 1024
const SLAB_BYTES = 64 * 1024
const NOTHING = new Uint8Array(0)

/**
 * Whether a message can be sent; callers find that out before they count on it.
 *
 * @throws MessageTooLargeError
 * @throws TypeError if the body is neither text nor bytes.
 */
export function checkMessage(header: string, body: string | Uint8Array): void {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new TypeError('a body must be a string or a Uint8Array')
  }
  // No count is needed in the usual case: UTF-8 takes at most three bytes per UTF-16 unit.
  if ((header.length + body.length) * 3 + PRELUDE_BYTES <= MAX_MESSAGE_BYTES) return
  const size = Buffer.byteLength(header) + Buffer.byteLength(body) + PRELUDE_BYTES
  if (size > MAX_MESSAGE_BYTES) throw new MessageTooLargeError(size, MAX_MESSAGE_BYTES)
}

/** Takes bytes and calls `done` when it needs their memory no more, maybe before it returns. */
export type FrameSink = (bytes: Uint8Array, done: () => void) => void

/** Memory in which frames are gathered. */
interface Slab {
  readonly bytes: Buffer
  /** Writes from it that are not done. */
  writes: number
}

/** Packs frames into as few writes as possible: small ones are gathered until {@link flush}, large bodies pass uncopied. */
export class FrameWriter {
  readonly #sink: FrameSink
  #slab: Slab = newSlab()
  /** A slab that is ready to be used again. One is enough: while one is written the other is filled. */
  #spare: Slab | undefined
  #from = 0
  #to = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  append(kind: number, seq: number, aux = 0, header = '', body: string | Uint8Array = NOTHING): void {
    const isText = typeof body === 'string'
    // UTF-8 takes at most three bytes per UTF-16 unit, so the exact length need not be counted first.
    const atMost = PRELUDE_BYTES + header.length * 3 + (isText ? body.length * 3 : body.length)
    if (atMost > LARGE_BYTES) {
      this.#appendLarge(isText ? kind | TEXT : kind, seq, aux, header, body)
      return
    }
    if (this.#to + atMost > SLAB_BYTES) this.#nextSlab()
    const slab = this.#slab.bytes
    const start = this.#to
    let end = start + PRELUDE_BYTES
    if (header.length > 0) end += slab.write(header, end)
    const headerLength = end - start - PRELUDE_BYTES
    if (isText) {
      if (body.length > 0) end += slab.write(body, end)
    } else if (body.length > 0) {
      slab.set(body, end)
      end += body.length
    }
    writePrelude(slab, start, end - start - 4, isText ? kind | TEXT : kind, seq, aux, headerLength)
    this.#to = end
  }

  flush(): void {
    if (this.#from === this.#to) return
    const slab = this.#slab
    const bytes = slab.bytes.subarray(this.#from, this.#to)
    this.#from = this.#to
    slab.writes += 1
    this.#sink(bytes, () => this.#written(slab))
  }

  #written(slab: Slab): void {
    slab.writes -= 1
    if (slab.writes > 0) return
    if (slab !== this.#slab) this.#spare = slab
    else if (this.#from === this.#to) this.#from = this.#to = 0
  }

  #nextSlab(): void {
    this.flush()
    if (this.#to === 0) return
    this.#slab = this.#spare ?? newSlab()
    this.#spare = undefined
    this.#from = this.#to = 0
  }

  #appendLarge(kind: number, seq: number, aux: number, header: string, body: string | Uint8Array): void {
    const bodyBytes = typeof body === 'string' ? Buffer.from(body) : body
    const head = Buffer.allocUnsafe(PRELUDE_BYTES + Buffer.byteLength(header))
    head.write(header, PRELUDE_BYTES)
    writePrelude(head, 0, head.length - 4 + bodyBytes.length, kind, seq, aux, head.length - PRELUDE_BYTES)
    this.flush()
    this.#sink(head, nothing)
    if (bodyBytes.length > 0) this.#sink(bodyBytes, nothing)
  }
}

function newSlab(): Slab {
  return { bytes: Buffer.allocUnsafeSlow(SLAB_BYTES), writes: 0 }
}

function nothing(): void {}

function writePrelude(
  to: Buffer,
  at: number,
  length: number,
  kind: number,
  seq: number,
  aux: number,
  headerLength: number,
): void {
  writeUint32(to, at, length)
  to[at + 4] = kind
  writeUint32(to, at + 5, seq)
  writeUint32(to, at + 9, aux)
  writeUint32(to, at + 13, headerLength)
}

function writeUint32(to: Buffer, at: number, value: number): void {
  to[at] = value
  to[at + 1] = value >>> 8
  to[at + 2] = value >>> 16
  to[at + 3] = value >>> 24
}

/** One frame as it lies in the decoder's memory. Valid only while the callback that got it runs. */
export class FrameView {
  kind = 0
  seq = 0
  aux = 0
  #bytes: Buffer = Buffer.alloc(0)
  #header = 0
  #body = 0
  #end = 0
  #isText = false
  #owned = false

  /** @internal */
  point(bytes: Buffer, start: number, end: number, owned: boolean): void {
    const kind = bytes[start + 4] as number
    const headerLength = bytes.readUInt32LE(start + 13)
    this.kind = kind & ~TEXT
    this.#isText = (kind & TEXT) !== 0
    this.seq = bytes.readUInt32LE(start + 5)
    this.aux = bytes.readUInt32LE(start + 9)
    this.#bytes = bytes
    this.#header = start + PRELUDE_BYTES
    this.#body = this.#header + headerLength
    this.#end = end
    this.#owned = owned
    if (this.#body > end) throw new CorruptFrameError(`header of ${headerLength} bytes in a frame of ${end - start}`)
  }

  /** @throws CorruptFrameError if the header is not JSON. */
  header(): unknown {
    if (this.#header === this.#body) return undefined
    try {
      return JSON.parse(this.#bytes.toString('utf8', this.#header, this.#body))
    } catch (error) {
      throw new CorruptFrameError(`header of frame kind ${this.kind} is not JSON`, { cause: error })
    }
  }

  /** A string if the sender gave a string, else bytes that the receiver may keep. */
  body(): string | Uint8Array {
    if (this.#isText) return this.#bytes.toString('utf8', this.#body, this.#end)
    const view = this.#bytes.subarray(this.#body, this.#end)
    return this.#owned ? view : Buffer.from(view)
  }
}

/** Cuts a stream of bytes into frames; a frame spread over many chunks is copied once. */
export class FrameDecoder {
  readonly #onFrame: (frame: FrameView) => void
  readonly #view = new FrameView()
  #held: Buffer | undefined
  #heldLength = 0

  constructor(onFrame: (frame: FrameView) => void) {
    this.#onFrame = onFrame
  }

  /** @throws CorruptFrameError on bytes that cannot be a frame; the stream is then useless. */
  push(chunk: Buffer, length: number = chunk.length): void {
    let at = this.#held === undefined ? 0 : this.#fill(chunk, length)
    while (at + 4 <= length) {
      const end = at + frameBytes(chunk, at)
      if (end > length) break
      this.#view.point(chunk, at, end, false)
      at = end
      this.#onFrame(this.#view)
    }
    if (at < length) this.#hold(chunk, at, length)
  }

  #hold(chunk: Buffer, at: number, length: number): void {
    this.#held = Buffer.allocUnsafe(length - at < 4 ? 4 : frameBytes(chunk, at))
    this.#heldLength = chunk.copy(this.#held, 0, at, length)
  }

  /** Completes the frame begun by earlier chunks and returns where the next one starts in this chunk. */
  #fill(chunk: Buffer, length: number): number {
    let held = this.#held as Buffer
    let at = 0
    if (this.#heldLength < 4) {
      at = Math.min(4 - this.#heldLength, length)
      chunk.copy(held, this.#heldLength, 0, at)
      this.#heldLength += at
      if (this.#heldLength < 4) return at
      const whole = Buffer.allocUnsafe(frameBytes(held, 0))
      held.copy(whole, 0, 0, 4)
      this.#held = held = whole
    }
    const copied = chunk.copy(held, this.#heldLength, at, length)
    this.#heldLength += copied
    if (this.#heldLength < held.length) return length
    this.#held = undefined
    this.#view.point(held, 0, held.length, true)
    this.#onFrame(this.#view)
    return at + copied
  }
}

function frameBytes(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32LE(at)
  if (length < PRELUDE_BYTES - 4 || length > MAX_MESSAGE_BYTES) throw new CorruptFrameError(`length of ${length} bytes`)
  return length + 4
}
