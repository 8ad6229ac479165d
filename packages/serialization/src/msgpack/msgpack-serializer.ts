import { depthLimit } from '../json/json-options.ts'
import type { BinarySerializer } from '../serializer.ts'
import { readMsgpack } from './read-msgpack.ts'
import { writeMsgpack } from './write-msgpack.ts'

export interface MsgpackOptions {
  /** Arrays and maps inside each other, at most; at most 1,000. @defaultValue `100` */
  readonly maxDepth?: number
}

/**
 * MessagePack as Python's kombu writes it: text and bytes are told apart, keys are text, and there are no extension
 * types. Our own, because a body from outside has to be checked before memory is set aside for it, and the limits and
 * number types of the libraries are not Python's.
 */
export function msgpackSerializer(options?: MsgpackOptions): BinarySerializer {
  const maxDepth = depthLimit(options)
  return {
    contentType: 'application/x-msgpack',
    contentEncoding: 'binary',
    encode: (value) => writeMsgpack(value, maxDepth),
    decode: (bytes) => readMsgpack(bytes, maxDepth),
  }
}
