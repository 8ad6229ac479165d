import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CompressionRegistry } from './compression-registry.ts'
import { DecodeError, UnknownCompressionError } from './errors.ts'

const ZSTD_WITHOUT_SIZE =
  'KLUv/QBYVAAAEGFhAQD7/znAAgIAEGECABBhAgAQYQIAEGECABBhAgAQYQIAEGECABBhAgAQYQIAEGECABBhAgAQYQIAEGECABBhAgAQYQIAEGECABBhAgAQYQIAEGECABBhAgAQYQM2DmE='

const NAMES = ['zlib', 'brotli', 'zstd', 'bzip2', 'lzma']

/** 64 MiB of zeros, made by another process: here the memory for them would be there afterwards. */
function makeBomb(name: string): Uint8Array {
  const program = `
    import { CompressionRegistry } from './src/index.ts'
    const registry = new CompressionRegistry()
    await registry.load('${name}')
    process.stdout.write(registry.compress(Buffer.alloc(64 * 1024 * 1024), '${name}').body)`
  const folder = fileURLToPath(new URL('..', import.meta.url))
  return execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], { cwd: folder })
}

async function loaded(): Promise<CompressionRegistry> {
  const registry = new CompressionRegistry()
  for (const name of NAMES) await registry.load(name)
  return registry
}

describe('compressing', () => {
  test.each(['zlib', 'gzip'])('%s is a zlib stream with the header value of gzip', (name) => {
    const { contentType, body } = new CompressionRegistry().compress('hello', name)
    expect(contentType).toBe('application/x-gzip')
    expect([...body.subarray(0, 2)]).toEqual([0x78, 0x9c])
  })

  test('knows the names of Celery', () => {
    const names = ['zlib', 'gzip', 'brotli', 'zstd', 'zstandard', 'bzip2', 'bzip', 'lzma', 'xz']
    expect(new CompressionRegistry().names()).toEqual(names)
  })

  test('what was compressed comes back', async () => {
    const registry = await loaded()
    fc.assert(
      fc.property(fc.uint8Array({ size: 'large' }), fc.constantFrom(...NAMES), (bytes, name) => {
        const { contentType, body } = registry.compress(bytes, name)
        expect(new Uint8Array(registry.decompress(body, contentType))).toEqual(bytes)
      }),
    )
  })

  test('a name or header value no one registered is refused', () => {
    const registry = new CompressionRegistry()
    expect(() => registry.compress('x', 'zip')).toThrow(UnknownCompressionError)
    expect(() => registry.decompress('x', '__proto__')).toThrow(UnknownCompressionError)
  })
})

describe('decompressing', () => {
  test('a real gzip file is read too', () => {
    const body = new CompressionRegistry().decompress(gzipSync('hello'), 'application/x-gzip')
    expect(Buffer.from(body).toString()).toBe('hello')
  })

  test.each(NAMES)('data that is not %s, or cut, is a DecodeError (H-09)', async (name) => {
    const registry = await loaded()
    const { body } = registry.compress('hello '.repeat(100), name)
    for (const bad of ['plain text', '', body.subarray(0, body.length - 5), body.subarray(0, 3), body.subarray(5)]) {
      expect(() => registry.decompress(bad, name)).toThrow(DecodeError)
    }
  })

  test.each(NAMES)('random and changed bytes of %s give bytes or a DecodeError', async (name) => {
    const registry = await loaded()
    const { body } = registry.compress('hello celery '.repeat(50), name)
    const changed = fc.tuple(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
      const copy = Uint8Array.from(body)
      copy[at]! ^= bits
      return copy
    })
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array()), (bytes) => {
        try {
          expect(registry.decompress(bytes, name, { maxSizeBytes: 4096 }).byteLength).toBeLessThanOrEqual(4096)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: 300 },
    )
  })

  test.each(NAMES)('%s stops at the limit (H-10)', async (name) => {
    const registry = await loaded()
    const { body, contentType } = registry.compress(Buffer.alloc(1024 * 1024), name)
    expect(() => registry.decompress(body, contentType, { maxSizeBytes: 1024 * 1024 - 1 })).toThrow(
      'more than 1048575 bytes',
    )
    expect(registry.decompress(body, contentType, { maxSizeBytes: 1024 * 1024 }).byteLength).toBe(1024 * 1024)
  })

  test.each(NAMES)('memory does not rise with what a bomb of %s would become (H-10)', async (name) => {
    const registry = await loaded()
    const bomb = makeBomb(name)
    const before = process.memoryUsage().rss
    const options = { maxSizeBytes: 4 * 1024 * 1024 }
    expect(() => registry.decompress(bomb, name, options)).toThrow('more than 4194304 bytes')
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 1024 * 1024)
  })

  test('zstd without a size in its header is read, and limited', async () => {
    const registry = await loaded()
    // 3,000,000 times "a", as a streaming compressor writes it.
    const frame = Buffer.from(ZSTD_WITHOUT_SIZE, 'base64')
    expect(registry.decompress(frame, 'zstd').byteLength).toBe(3_000_000)
    expect(() => registry.decompress(frame, 'zstd', { maxSizeBytes: 2_999_999 })).toThrow('more than 2999999 bytes')
  })

  test('loading bzip2 leaves no globals behind', async () => {
    await new CompressionRegistry().load('bzip2')
    expect([Reflect.has(globalThis, 'require'), Reflect.has(globalThis, '__dirname')]).toEqual([false, false])
  })

  test('without a limit of its own it is 64 MiB', () => {
    const bomb = deflateSync(Buffer.alloc(64 * 1024 * 1024 + 1))
    expect(() => new CompressionRegistry().decompress(bomb, 'zlib')).toThrow('more than 67108864 bytes')
  })

  test('a compression that ignores the limit is caught', () => {
    const registry = new CompressionRegistry().register('twice', {
      contentType: 'application/x-twice',
      compress: (bytes) => bytes,
      decompress: (bytes) => Buffer.concat([bytes, bytes]),
    })
    expect(() => registry.decompress('abc', 'twice', { maxSizeBytes: 5 })).toThrow(DecodeError)
  })
})

test.each([
  ['bzip', 'bzip2-wasm'],
  ['application/x-bz2', 'bzip2-wasm'],
  ['xz', 'lzma-native'],
])('%s is loaded on demand, and names its package', (name, packageName) => {
  expect(() => new CompressionRegistry().compress('x', name)).toThrow(
    expect.objectContaining({ code: 'ERR_CELERY_CODEC_UNAVAILABLE', packageName }),
  )
})

test('a lazy compression is loaded by name, alias or header value', async () => {
  const registry = new CompressionRegistry().register(
    'same',
    {
      contentType: 'application/x-same',
      load: async () => ({
        contentType: 'application/x-same',
        compress: (bytes) => bytes,
        decompress: (bytes) => bytes,
      }),
    },
    ['equal'],
  )
  expect(registry.names().slice(-2)).toEqual(['same', 'equal'])
  expect(() => registry.compress('x', 'equal')).toThrow('await load("same")')
  await registry.load('equal')
  expect(registry.compress('x', 'same').contentType).toBe('application/x-same')
})
