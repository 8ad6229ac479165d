import type { Socket } from 'node:net'

/**
 * Makes a function that says whether the other side has sent or taken anything since it was called last. What is written
 * is taken by the system first, however dead the other side is: only what waited for room there tells something by leaving.
 */
export function movementOf(socket: Socket): () => boolean {
  let read = socket.bytesRead
  let left = unsent(socket)
  return () => {
    const [lastRead, lastLeft] = [read, left]
    read = socket.bytesRead
    left = unsent(socket)
    return read !== lastRead || (lastLeft > 0 && left !== lastLeft)
  }
}

/** Of the write that is under way. Node's own timeout of a socket looks there too: all it says in public is when it is over. */
function unsent(socket: Socket & { readonly _handle?: { readonly writeQueueSize?: number } | null }): number {
  return socket._handle?.writeQueueSize ?? socket.writableLength
}
