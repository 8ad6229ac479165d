import { readSync, writeSync } from 'node:fs'
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net'
import { FrameDecoder, type FrameView, FrameWriter } from '../frame.ts'

/** Jobs arrive here. Opened as a socket, hence non-blocking. */
const JOBS_FD = 3
/** Replies leave here, by plain blocking writes: what was written has reached the pool even if the process dies next. */
const REPLIES_FD = 4

/** A child's end of the way to its pool. */
export interface Channel {
  readonly writer: FrameWriter
  /** Reads what has arrived by now, without waiting and without a turn of the event loop. */
  poll(): void
}

/** A process's ends of the two pipes to its pool. */
export class ParentChannel implements Channel {
  readonly writer: FrameWriter = new FrameWriter(writeToParent)
  readonly #decoder: FrameDecoder
  readonly #spare: Buffer = Buffer.allocUnsafeSlow(64 * 1024)

  constructor(onFrame: (frame: FrameView) => void, onReadEnd: () => void) {
    this.#decoder = new FrameDecoder(onFrame)
    const buffer = Buffer.allocUnsafeSlow(64 * 1024)
    const onread: OnReadOpts = {
      buffer,
      callback: (length) => {
        this.#decoder.push(buffer, length)
        onReadEnd()
        return true
      },
    }
    // Documented for `connect()` only, but the constructor is where Node reads it; saves an allocation per read.
    const options: SocketConstructorOpts & { onread: OnReadOpts } = {
      fd: JOBS_FD,
      readable: true,
      writable: false,
      onread,
    }
    const socket = new Socket(options)
    socket.on('end', leave)
    socket.on('error', leave)
    socket.on('close', leave)
    socket.resume()
  }

  poll(): void {
    for (;;) {
      let length: number
      try {
        length = readSync(JOBS_FD, this.#spare)
      } catch (error) {
        if (isBusy(error)) return
        leave()
      }
      if (length === 0) leave()
      this.#decoder.push(this.#spare, length)
      if (length < this.#spare.length) return
    }
  }
}

/** Writes all of `bytes` before it returns; ends the process if the pool is gone. */
export function writeToParent(bytes: Uint8Array, done: () => void): void {
  let at = 0
  while (at < bytes.length) {
    try {
      at += writeSync(REPLIES_FD, bytes, at)
    } catch (error) {
      // Only if user code made the descriptor non-blocking, as opening a second socket on it does.
      if (!isBusy(error)) leave()
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
  done()
}

function isBusy(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN'
}

/** The pool is gone: nobody wants the result of what runs here. */
function leave(): never {
  process.exit(0)
}
