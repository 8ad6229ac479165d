import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CompressionRegistry } from './compression-registry.ts'
import { DecodeError, UnknownCompressionError } from './errors.ts'

describe('compressing', () => {
  test.each(['zlib', 'gzip'])('%s is a zlib stream with the header value of gzip', (name) => {
    const { contentType, body } = new CompressionRegistry().compress('hello', name)
    expect(contentType).toBe('application/x-gzip')
    expect([...body.subarray(0, 2)]).toEqual([0x78, 0x9c])
  })

  test('what was compressed comes back', () => {
    const registry = new CompressionRegistry()
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom('zlib', 'gzip', 'brotli'), (bytes, name) => {
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

  test('data of another kind is a DecodeError (H-09)', () => {
    const registry = new CompressionRegistry()
    expect(() => registry.decompress('plain text', 'application/x-gzip')).toThrow(DecodeError)
    expect(() => registry.decompress(deflateSync('hello').subarray(0, 6), 'application/x-gzip')).toThrow(DecodeError)
    expect(() => registry.decompress('plain text', 'application/x-brotli')).toThrow(DecodeError)
  })

  test.each([
    ['application/x-gzip', deflateSync(Buffer.alloc(1024 * 1024))],
    ['application/x-brotli', brotliCompressSync(Buffer.alloc(1024 * 1024))],
  ])('%s stops at the limit (H-10)', (contentType, bomb) => {
    const registry = new CompressionRegistry()
    expect(() => registry.decompress(bomb, contentType, { maxSizeBytes: 1024 * 1024 - 1 })).toThrow(
      'more than 1048575 bytes',
    )
    expect(registry.decompress(bomb, contentType, { maxSizeBytes: 1024 * 1024 }).byteLength).toBe(1024 * 1024)
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
  expect(registry.names()).toEqual(['zlib', 'gzip', 'brotli', 'same', 'equal'])
  expect(() => registry.compress('x', 'equal')).toThrow('await load("same")')
  await registry.load('equal')
  expect(registry.compress('x', 'same').contentType).toBe('application/x-same')
})
