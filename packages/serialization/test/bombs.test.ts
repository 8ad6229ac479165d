import { brotliCompressSync, constants, deflateRawSync, deflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { CompressionRegistry } from '../src/index.ts'

/** What each bomb becomes where nobody stops it: as many zeros, or somewhat more. */
const gibibyte = 2 ** 30
const mebibyte = 2 ** 20
/** Of what is decoded, where nothing else is said. */
const limitBytes = 64 * mebibyte

/**
 * Made of one piece, over and over, which takes no time; what stands behind the last one, a checksum for example, is left out
 * where nobody comes to read it.
 */
const bombs: readonly [name: string, make: (registry: CompressionRegistry) => Uint8Array][] = [
  ['zlib', zlibBomb],
  ['gzip', () => Buffer.concat([Buffer.from('1f8b0800000000000003', 'hex'), deflated(), Buffer.alloc(8)])],
  ['brotli', brotliBomb],
  ['zstd', zstdBomb],
  ['bzip2', bzip2Bomb],
  ['xz', xzBomb],
]

test.each(bombs)('H-10 1 GiB under %s stops at 64 MiB; memory rises by less than twice that', async (name, make) => {
  const registry = new CompressionRegistry()
  await registry.load(name)
  const bomb = make(registry)
  expect(bomb.byteLength).toBeLessThan(2 * mebibyte)
  const before = process.memoryUsage().rss
  expect(() => registry.decompress(bomb, name)).toThrow(`more than ${limitBytes} bytes`)
  expect(process.memoryUsage().rss - before).toBeLessThan(2 * limitBytes)
})

test.each(bombs)('H-10 1 GiB under %s, and that under zlib: only the outer one is opened', async (name, make) => {
  const registry = new CompressionRegistry()
  await registry.load(name)
  const inner = make(registry)
  const before = process.memoryUsage().rss
  expect(registry.decompress(deflateSync(inner), 'zlib').byteLength).toBe(inner.byteLength)
  expect(process.memoryUsage().rss - before).toBeLessThan(2 * limitBytes)
})

function zlibBomb(): Uint8Array {
  return Buffer.concat([Buffer.from([0x78, 0x9c]), deflated(), Buffer.alloc(4)])
}

/** After a full flush nothing refers to what was before. */
function deflated(): Uint8Array {
  const piece = deflateRawSync(Buffer.alloc(mebibyte), { finishFlush: constants.Z_FULL_FLUSH })
  return Buffer.concat([...repeated(piece, gibibyte / mebibyte), deflateRawSync('')])
}

/** The one that is fast enough to be made as it is. */
function brotliBomb(): Uint8Array {
  return brotliCompressSync(Buffer.alloc(gibibyte), { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })
}

/** A frame of blocks that each repeat one byte, as long as a block may be: window of 128 KiB, no checksum, size unknown. */
function zstdBomb(): Uint8Array {
  const blockBytes = 2 ** 17
  const count = gibibyte / blockBytes
  const block = (isLast: boolean): Uint8Array => {
    const bytes = Buffer.alloc(4)
    bytes.writeUIntLE((blockBytes << 3) | (1 << 1) | (isLast ? 1 : 0), 0, 3)
    return bytes
  }
  return Buffer.concat([Buffer.from('28b52ffd0038', 'hex'), ...repeated(block(false), count - 1), block(true)])
}

/** Blocks begin and end in the middle of a byte. */
function bzip2Bomb(registry: CompressionRegistry): Uint8Array {
  const blockBytes = 40_000_000
  const one = bitsOf(registry.compress(Buffer.alloc(blockBytes), 'bzip2').body)
  const headBits = 32
  const footAt = one.lastIndexOf(bitsOf(Buffer.from('177245385090', 'hex')))
  const block = one.slice(headBits, footAt)
  const bits = one.slice(0, headBits) + block.repeat(Math.ceil(gibibyte / blockBytes)) + one.slice(footAt)
  return Uint8Array.from(bits.match(/.{1,8}/g) ?? [], (byte) => Number.parseInt(byte.padEnd(8, '0'), 2))
}

function bitsOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('')
}

/** The first chunk of LZMA2 sets everything back, so that it may stand behind any other. */
function xzBomb(registry: CompressionRegistry): Uint8Array {
  const chunkBytes = 2 * mebibyte
  const one = Buffer.from(registry.compress(Buffer.alloc(chunkBytes), 'xz').body)
  const streamHeaderBytes = 12
  const blockHeaderBytes = (one.readUInt8(streamHeaderBytes) + 1) * 4
  const chunkAt = streamHeaderBytes + blockHeaderBytes
  const chunkEnd = chunkAt + 6 + one.readUInt16BE(chunkAt + 3) + 1
  return Buffer.concat([one.subarray(0, chunkAt), ...repeated(one.subarray(chunkAt, chunkEnd), gibibyte / chunkBytes)])
}

function repeated(piece: Uint8Array, times: number): readonly Uint8Array[] {
  return Array.from({ length: times }, () => piece)
}
