import type { LazyCodec } from './codec-slot.ts'

/** Packs and unpacks bodies; registered under one or more names. */
export interface Compression {
  /** Value of the header `compression`. */
  readonly contentType: string
  compress(bytes: Uint8Array): Uint8Array
  /** Must stop once it has more than `maxBytes`. Whatever it throws becomes the cause of a `DecodeError`. */
  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array
}

/** A compression that comes into memory on demand. */
export type LazyCompression = LazyCodec<Compression>

export interface CompressedBody {
  /** For the header `compression`. */
  readonly contentType: string
  readonly body: Uint8Array
}

export interface DecompressOptions {
  /** Most bytes that may come out. @defaultValue 64 MiB */
  readonly maxSizeBytes?: number
}
