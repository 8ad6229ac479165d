import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { FrameDecoder, type FrameView, FrameWriter } from '../frame.ts'
import { post } from '../thread-link.ts'
import type { Channel } from './channel.ts'

/** A thread's end of the port to its pool. */
export class ThreadChannel implements Channel {
  readonly writer: FrameWriter = new FrameWriter(postToPool)
  readonly #decoder: FrameDecoder

  constructor(onFrame: (frame: FrameView) => void, onReadEnd: () => void) {
    this.#decoder = new FrameDecoder(onFrame)
    port().on('message', (bytes: Uint8Array) => {
      this.#push(bytes)
      onReadEnd()
    })
  }

  poll(): void {
    for (;;) {
      const received = receiveMessageOnPort(port()) as { readonly message: Uint8Array } | undefined
      if (received === undefined) return
      this.#push(received.message)
    }
  }

  #push(bytes: Uint8Array): void {
    this.#decoder.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }
}

export function postToPool(bytes: Uint8Array, done: () => void): void {
  post(port(), bytes, done)
}

function port(): MessagePort {
  if (parentPort === null) throw new Error('this code runs in threads of a pool only')
  return parentPort
}
