import type { Compression, LazyCompression } from '../compression.ts'
import { TooLargeError } from './too-large-error.ts'

/** Little enough that what comes out of one piece at the highest ratio, 7,000, stays small. */
const PIECE_BYTES = 1024
/** What Python's default preset writes asks for 9 MiB, the largest one for 65. */
const MEMORY_LIMIT_BYTES = 128 * 1024 * 1024
const PRESET = 6

type Lzma = typeof import('lzma-native')['default']
type Stream = InstanceType<Lzma['Stream']>

/** What kombu calls lzma and xz: an .xz file. Needs the package lzma-native. */
export const xzCompression: LazyCompression = {
  contentType: 'application/x-lzma',
  packageName: 'lzma-native',
  async load() {
    return overLibrary((await import('lzma-native')).default)
  },
}

function overLibrary(lzma: Lzma): Compression {
  return {
    contentType: 'application/x-lzma',
    compress: (bytes) =>
      run(new lzma.Stream(), (stream) => stream.easyEncoder({ preset: PRESET, check: lzma.CHECK_CRC64 }), {
        bytes,
        pieceBytes: bytes.byteLength,
        maxBytes: Number.POSITIVE_INFINITY,
      }),
    decompress: (bytes, maxBytes) =>
      run(new lzma.Stream(), (stream) => stream.streamDecoder({ memlimit: MEMORY_LIMIT_BYTES }), {
        bytes,
        pieceBytes: PIECE_BYTES,
        maxBytes,
      }),
  }
}

interface Input {
  readonly bytes: Uint8Array
  readonly pieceBytes: number
  readonly maxBytes: number
}

/** The package's streams are asynchronous; what they are made of is not. */
function run(stream: Stream, begin: (stream: Stream) => void, { bytes, pieceBytes, maxBytes }: Input): Uint8Array {
  const parts: Uint8Array[] = []
  let length = 0
  let failure: Error | undefined
  let ended = false
  stream.bufferHandler = (part, chunks, error) => {
    if (error) failure ??= error
    else if (typeof chunks === 'number') return
    else if (part === null) ended = true
    else {
      parts.push(part)
      length += part.byteLength
    }
  }
  const feed = (piece: Uint8Array | null): void => {
    stream.code(piece, false)
    if (length > maxBytes) throw new TooLargeError(maxBytes)
    if (failure !== undefined) throw failure
  }
  try {
    begin(stream)
    for (let at = 0; at < bytes.byteLength && !ended; at += pieceBytes) feed(bytes.subarray(at, at + pieceBytes))
    if (!ended) feed(null)
    if (!ended) throw new RangeError('the data ends too early')
    return Buffer.concat(parts, length)
  } finally {
    stream.resetUnderlying()
  }
}
