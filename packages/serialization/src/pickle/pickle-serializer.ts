import { depthLimit } from '../json/json-options.ts'
import type { MemoryOptions } from '../memory-budget.ts'
import type { LazySerializer } from '../serializer.ts'

export interface PickleOptions extends MemoryOptions {
  /** Lists, dicts and sets inside each other, at most; at most 1,000. @defaultValue `100` */
  readonly maxDepth?: number
}

/**
 * Plain data in pickle, for fleets whose Python side can do nothing else. No registry has it from the start: register it
 * and accept it by name. It imports nothing and calls nothing, so a hostile pickle is an error here; Python workers that
 * accept pickle are still open to whoever can write to the broker.
 *
 * Reads None, booleans, numbers, text, bytes, lists, tuples, dicts, sets, and the types of `datetime`, `decimal` and
 * `uuid`; anything else is a `DecodeError`. Writes the same, as protocol 2.
 */
export function pickleSerializer(options?: PickleOptions): LazySerializer {
  const maxDepth = depthLimit(options)
  const contentType = 'application/x-python-serialize'
  return {
    contentType,
    async load() {
      const [{ readPickle }, { writePickle }] = await Promise.all([
        import('./read-pickle.ts'),
        import('./write-pickle.ts'),
      ])
      return {
        contentType,
        contentEncoding: 'binary',
        encode: (value) => writePickle(value, maxDepth),
        decode: (bytes) => readPickle(bytes, maxDepth, options),
      }
    },
  }
}
