import { depthLimit } from '../json/json-options.ts'
import type { MemoryOptions } from '../memory-budget.ts'
import type { LazySerializer } from '../serializer.ts'

export interface MsgpackOptions extends MemoryOptions {
  /** Arrays and maps inside each other, at most; at most 1,000. @defaultValue `100` */
  readonly maxDepth?: number
}

/**
 * MessagePack as Python's kombu writes it: text and bytes are told apart, keys are text, and there are no extension
 * types. Our own, because a body from outside has to be checked before memory is set aside for it, and the limits and
 * number types of the libraries are not Python's.
 */
export function msgpackSerializer(options?: MsgpackOptions): LazySerializer {
  const maxDepth = depthLimit(options)
  const contentType = 'application/x-msgpack'
  return {
    contentType,
    async load() {
      const [{ readMsgpack }, { writeMsgpack }] = await Promise.all([
        import('./read-msgpack.ts'),
        import('./write-msgpack.ts'),
      ])
      return {
        contentType,
        contentEncoding: 'binary',
        encode: (value) => writeMsgpack(value, maxDepth),
        decode: (bytes) => readMsgpack(bytes, maxDepth, options),
      }
    },
  }
}
