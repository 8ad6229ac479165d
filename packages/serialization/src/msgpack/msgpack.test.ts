import { describe, expect, test } from 'vitest'
import type { BinarySerializer } from '../serializer.ts'
import { msgpackSerializer } from './msgpack-serializer.ts'

const { encode, decode } = (await msgpackSerializer().load()) as BinarySerializer

function read(hex: string): unknown {
  return decode(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

describe('reading', () => {
  test.each([
    ['an array of 2^32-1 values without any', 'dd ffffffff', 'more values are announced'],
    ['a map of 2^32-1 pairs without any', 'df ffffffff', 'more values are announced'],
    [
      'arrays in arrays that announce what is left, each for itself',
      'dc0006 dc0003 dc0003 00 00 00 00',
      'more values are announced',
    ],
    ['text of 4 GiB', 'db ffffffff 61', 'unexpected end'],
    ['bytes of 4 GiB', 'c6 ffffffff 61', 'unexpected end'],
    ['an extension type', 'd4 05 01', 'extension types'],
    ['a timestamp', 'd6 ff 00000000', 'extension types'],
    ['a record of msgpackr', 'd4 72 40', 'extension types'],
    ['the byte that is never used', 'c1', 'never used'],
    ['a key that is no text', '81 01 01', 'a key is no text'],
    ['text that is no UTF-8', 'a2 fffe', 'invalid UTF-8'],
    ['two values', '01 02', 'unexpected bytes'],
    ['nothing', '', 'unexpected end'],
  ])('refuses %s (H-21)', (_, hex, reason) => {
    expect(() => read(hex)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_DECODE' }))
    expect(() => read(hex)).toThrow(reason)
  })

  test('nesting is limited (H-21)', async () => {
    expect(() => decode(Buffer.alloc(10_000, 0x91))).toThrow('nested too deeply')
    expect(() => decode(Buffer.concat([Buffer.alloc(10_000, 0x81), Buffer.alloc(10_000, 0xa0)]))).toThrow()
    const deep = Buffer.concat([Buffer.alloc(3, 0x91), Buffer.from([1])])
    const reading = async (maxDepth: number) => (await msgpackSerializer({ maxDepth }).load()).decode(deep as never)
    await expect(reading(3)).resolves.toEqual([[[1]]])
    await expect(reading(2)).rejects.toThrow('nested too deeply')
  })

  test('memory is limited', async () => {
    const { decode: narrow } = (await msgpackSerializer({ maxMemoryBytes: 100 }).load()) as BinarySerializer
    expect(narrow(Buffer.of(0x91, 0x01))).toEqual([1])
    expect(() => narrow(Buffer.of(0x93, 0x90, 0x90, 0x90))).toThrow(
      'cannot read application/x-msgpack: its values would take more than 132 bytes of memory',
    )
    for (const body of [Buffer.of(0x91, 0xc4, 0), Buffer.of(0x82, 0xa1, 0x61, 1, 0xa1, 0x62, 1)]) {
      expect(() => narrow(body)).toThrow('bytes of memory')
    }
  })

  test('a __proto__ key is data (H-13)', () => {
    const value = read('81 a9 5f5f70726f746f5f5f 81 a1 61 01') as object
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__'])
  })

  test('floats of four bytes are read too', () => {
    expect(read('ca 3fc00000')).toBe(1.5)
  })

  test('bytes do not change with the memory they came from', () => {
    const body = Buffer.from('c40161', 'hex')
    const bytes = decode(body) as Uint8Array
    body.fill(0)
    expect([...bytes]).toEqual([0x61])
  })
})

describe('writing', () => {
  test.each([
    ['an integer beyond 64 bits', [2n ** 64n], '$[0]'],
    ['an integer below 64 bits', [-(2n ** 63n) - 1n], '$[0]'],
    ['half of a surrogate pair', { a: '\ud800' }, '$.a'],
    ['half of a surrogate pair as a key', { '\ud800': 1 }, '$'],
    ['a date, for which Python has no form either', [new Date(0)], '$[0]'],
    ['a key that is no text', new Map([[1, 1]]), '$'],
    ['a set', new Set(), '$'],
  ])('refuses %s', (_, value, path) => {
    expect(() => encode(value)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_ENCODE', path }))
  })

  test('takes the largest of 64 bits, and minus zero', () => {
    expect(decode(encode([2n ** 64n - 1n, -(2n ** 63n), -0]))).toEqual([2n ** 64n - 1n, -(2n ** 63n), -0])
  })
})
