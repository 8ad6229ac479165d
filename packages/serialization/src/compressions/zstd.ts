import * as zlib from 'node:zlib'
import type { Compression, LazyCompression } from '../compression.ts'
import { loadOnce } from '../load-once.ts'
import { TooLargeError } from './too-large-error.ts'
import { zstdFrameSize } from './zstd-frame-size.ts'

const CONTENT_TYPE = 'application/zstd'
const LEVEL = 3

/** Node has it from 22.15 on; the types are those of an older one. */
interface ZstdOfNode {
  zstdCompressSync?(bytes: Uint8Array, options: { readonly pledgedSrcSize: number }): Uint8Array
  zstdDecompressSync?(bytes: Uint8Array, options: { readonly maxOutputLength: number }): Uint8Array
}

/** One zstd frame with its content size, which Python insists on. Node's own where it has one, else `@bokuweb/zstd-wasm`. */
export const zstdCompression: Compression | LazyCompression = ofNode(zlib as ZstdOfNode) ?? {
  contentType: CONTENT_TYPE,
  packageName: '@bokuweb/zstd-wasm',
  // Once for the process: the package has one memory, and is unusable once it is set up again.
  load: loadOnce(loadWasm),
}

async function loadWasm(): Promise<Compression> {
  const zstd = await import('@bokuweb/zstd-wasm')
  await zstd.init()
  return overWasm(zstd)
}

function ofNode({ zstdCompressSync, zstdDecompressSync }: ZstdOfNode): Compression | undefined {
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return undefined
  return {
    contentType: CONTENT_TYPE,
    compress: (bytes) => zstdCompressSync(bytes, { pledgedSrcSize: bytes.byteLength }),
    decompress(bytes, maxBytes) {
      zstdFrameSize(bytes)
      return zstdDecompressSync(bytes, { maxOutputLength: maxBytes })
    },
  }
}

interface ZstdWasm {
  compress(bytes: Uint8Array, level: number): Uint8Array
  decompress(bytes: Uint8Array, options: { readonly defaultHeapSize: number }): Uint8Array
}

const OUTPUT_FULL = 'code -70'

function overWasm(zstd: ZstdWasm): Compression {
  return {
    contentType: CONTENT_TYPE,
    compress: (bytes) => zstd.compress(bytes, LEVEL),
    decompress(bytes, maxBytes) {
      const declared = zstdFrameSize(bytes)
      // The library sets that much memory aside before it looks at the data.
      if (declared !== undefined && declared > maxBytes) throw new TooLargeError(maxBytes)
      let size = Math.min(maxBytes, declared ?? Math.max(65_536, bytes.byteLength * 8))
      for (;;) {
        try {
          return zstd.decompress(bytes, { defaultHeapSize: Math.max(1, size) })
        } catch (error) {
          if (!(error instanceof Error && error.message.endsWith(OUTPUT_FULL)) || declared !== undefined) throw error
          if (size === maxBytes) throw new TooLargeError(maxBytes)
          size = Math.min(maxBytes, size * 8)
        }
      }
    },
  }
}
