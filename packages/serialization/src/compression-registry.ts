import { CodecSlot } from './codec-slot.ts'
import type { CompressedBody, Compression, DecompressOptions, LazyCompression } from './compression.ts'
import { bzip2Compression } from './compressions/bzip2.ts'
import { xzCompression } from './compressions/xz.ts'
import { brotliCompression, zlibCompression } from './compressions/zlib.ts'
import { zstdCompression } from './compressions/zstd.ts'
import { DecodeError, EncodeError, UnknownCompressionError } from './errors.ts'
import { toBytes } from './text.ts'

const DEFAULT_MAX_SIZE_BYTES = 64 * 1024 * 1024

/**
 * The compressions of one application, by name and by header value. Starts with Celery's: `zlib` (alias `gzip`), `brotli`,
 * `zstd` (`zstandard`), `bzip2` (`bzip`) and `lzma` (`xz`). The last two need a package of their own and are loaded on
 * demand; so is `zstd` where Node does not bring it.
 */
export class CompressionRegistry {
  /** Names, aliases and header values alike; header values have a slash and names have none. */
  readonly #slots = new Map<string, CodecSlot<Compression>>()

  constructor() {
    this.register('zlib', zlibCompression, ['gzip'])
    this.register('brotli', brotliCompression)
    this.register('zstd', zstdCompression, ['zstandard'])
    this.register('bzip2', bzip2Compression, ['bzip'])
    this.register('lzma', xzCompression, ['xz'])
  }

  /** Adds a compression; for each of its names, and its header value, the one before gives way. */
  register(name: string, definition: Compression | LazyCompression, aliases: readonly string[] = []): this {
    const slot = new CodecSlot(name, definition)
    for (const key of [name, ...aliases, slot.contentType]) this.#slots.set(key, slot)
    return this
  }

  /** Names and aliases, in order of registration. */
  names(): string[] {
    return [...this.#slots.keys()].filter((key) => !key.includes('/'))
  }

  /**
   * Brings a lazy compression into memory; at once for the others.
   * @throws UnknownCompressionError, CodecUnavailableError
   */
  async load(nameOrType: string): Promise<void> {
    await this.#find(nameOrType).load()
  }

  /** Whether `load` has nothing to bring: it is in memory, or unknown. */
  isLoaded(nameOrType: string): boolean {
    return this.#slots.get(nameOrType)?.isLoaded ?? true
  }

  /** @throws UnknownCompressionError, CodecUnavailableError, EncodeError */
  compress(body: string | Uint8Array, nameOrType: string): CompressedBody {
    const compression = this.#find(nameOrType).codec
    try {
      return { contentType: compression.contentType, body: compression.compress(toBytes(body)) }
    } catch (cause) {
      throw new EncodeError(compression.contentType, 'the compression failed', '$', { cause })
    }
  }

  /**
   * Unpacks a body that was received.
   * @throws UnknownCompressionError, CodecUnavailableError
   * @throws DecodeError where it is corrupt, or larger than allowed once unpacked.
   */
  decompress(body: string | Uint8Array, nameOrType: string, options: DecompressOptions = {}): Uint8Array {
    const maxBytes = options.maxSizeBytes ?? DEFAULT_MAX_SIZE_BYTES
    const compression = this.#find(nameOrType).codec
    let bytes: Uint8Array
    try {
      bytes = compression.decompress(toBytes(body), maxBytes)
    } catch (cause) {
      const tooLarge = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE'
      throw new DecodeError(compression.contentType, tooLarge ? beyond(maxBytes) : 'corrupt data', undefined, { cause })
    }
    if (bytes.byteLength > maxBytes) throw new DecodeError(compression.contentType, beyond(maxBytes))
    return bytes
  }

  #find(nameOrType: string): CodecSlot<Compression> {
    const slot = this.#slots.get(nameOrType)
    if (slot === undefined) throw new UnknownCompressionError(nameOrType, this.names())
    return slot
  }
}

function beyond(maxBytes: number): string {
  return `more than ${maxBytes} bytes once decompressed`
}
