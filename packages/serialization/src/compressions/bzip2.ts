import type { Compression, LazyCompression } from '../compression.ts'
import { loadOnce } from '../load-once.ts'
import { TooLargeError } from './too-large-error.ts'

const OUTPUT_FULL = -8
const BLOCK_SIZE = 9
const WORK_FACTOR = 30

type Bzip2Module = InstanceType<typeof import('bzip2-wasm')['default']>['wasmModule']

/** As Python's `bz2`. Needs the package bzip2-wasm. Loaded once for the process: each would have 16 MiB of its own. */
export const bzip2Compression: LazyCompression = {
  contentType: 'application/x-bz2',
  packageName: 'bzip2-wasm',
  load: loadOnce(loadWasm),
}

async function loadWasm(): Promise<Compression> {
  const { default: Package } = await import('bzip2-wasm')
  const bzip2 = new Package()
  await keepingGlobals(['require', '__dirname'], () => bzip2.init())
  return overModule(bzip2.wasmModule)
}

/**
 * The package's own methods fail when memory grows between two allocations, and leave it allocated. So this calls the
 * functions below them, which are libbzip2's, and looks at the memory again after each allocation.
 */
function overModule(module: Bzip2Module): Compression {
  return {
    contentType: 'application/x-bz2',
    compress(bytes) {
      // The manual's bound: 1 % and 600 bytes more.
      const bound = Math.ceil(bytes.byteLength * 1.01) + 600
      return run(module, bytes, bound, (...buffers) =>
        module._BZ2_bzBuffToBuffCompress(...buffers, BLOCK_SIZE, 0, WORK_FACTOR),
      )
    },
    decompress(bytes, maxBytes) {
      // Nothing in the data says how large it will be.
      let size = Math.min(maxBytes, Math.max(65_536, bytes.byteLength * 8))
      for (;;) {
        try {
          return run(module, bytes, size, (...buffers) => module._BZ2_bzBuffToBuffDecompress(...buffers, 0, 0))
        } catch (error) {
          if (!(error instanceof Bzip2Error) || error.status !== OUTPUT_FULL) throw error
          if (size === maxBytes) throw new TooLargeError(maxBytes)
          size = Math.min(maxBytes, size * 8)
        }
      }
    },
  }
}

type Call = (target: number, targetLength: number, source: number, sourceLength: number) => number

function run(module: Bzip2Module, bytes: Uint8Array, size: number, call: Call): Uint8Array {
  const allocated: number[] = []
  const allocate = (sizeBytes: number): number => {
    const pointer = module._malloc(Math.max(1, sizeBytes))
    if (pointer === 0) throw new RangeError(`no memory for ${sizeBytes} bytes`)
    allocated.push(pointer)
    return pointer
  }
  try {
    const source = allocate(bytes.byteLength)
    const target = allocate(size)
    const length = allocate(4)
    module.HEAPU8.set(bytes, source)
    module.setValue(length, size, 'i32')
    const status = call(target, length, source, bytes.byteLength)
    if (status !== 0) throw new Bzip2Error(status)
    return module.HEAPU8.slice(target, target + module.getValue(length, 'i32'))
  } finally {
    for (const pointer of allocated) module._free(pointer)
  }
}

class Bzip2Error extends Error {
  readonly status: number

  constructor(status: number) {
    super(`libbzip2 says ${status}`)
    this.status = status
  }
}

/** The package sets globals of CommonJS, by which other libraries would take this for another kind of program. */
async function keepingGlobals(names: readonly string[], run: () => Promise<void>): Promise<void> {
  const before = names.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const)
  try {
    await run()
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name)
      else Object.defineProperty(globalThis, name, descriptor)
    }
  }
}
