import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { DateTime, DecodeError, type FleetVersion, pickleSerializer, SerializerRegistry } from '../src/index.ts'
import { byteArrays, dates, dateTimes, decimals, deltas, integers, texts, times, trees, uuids } from './plain-data.ts'
import { pythonRepr } from './python-repr.ts'

const registry = new SerializerRegistry().register('pickle', pickleSerializer())
const accept = registry.acceptList(['json', 'yaml', 'msgpack', 'pickle'])
beforeAll(async () => {
  for (const name of ['yaml', 'msgpack', 'pickle']) await registry.load(name)
})

const doubles = fc.double().map((number) => (Object.is(number, -0) ? 0 : number))

/** What each format can hold. */
const FORMATS = {
  json: trees([integers(200), doubles, texts(true), byteArrays, dateTimes, dates, times, decimals, uuids]),
  yaml: trees([integers(200), fc.double(), texts(true), byteArrays, dateTimes, dates, fc.constant(new Set([1, 'a']))]),
  msgpack: trees([integers(64), fc.double(), texts(false), byteArrays]),
  pickle: trees([
    ...[integers(200), fc.double(), texts(true), byteArrays, dateTimes, dates, times, deltas, decimals, uuids],
    fc.constant(new Set([1, 'a'])),
    fc.constant(
      new Map<unknown, unknown>([
        [1, 'a'],
        [null, 2],
        [new TextEncoder().encode('k'), 3],
      ]),
    ),
  ]),
}

describe.each(Object.entries(FORMATS))('%s', (name, values) => {
  test('what was written is read back as it was', () => {
    fc.assert(
      fc.property(values, (value) => {
        const { body, contentType, contentEncoding } = registry.encode(value, name)
        const read = registry.decode(body, contentType, contentEncoding, { accept })
        expect(pythonRepr(read)).toBe(pythonRepr(value))
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
      }),
      { numRuns: 300 },
    )
  })

  test('changed and random bytes give a value or a DecodeError, soon (H-21)', () => {
    const mutated = fc
      .tuple(values, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([value, changes, cut]) => {
        const bytes = Buffer.from(registry.encode(value, name).body)
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        return cut ? bytes.subarray(0, changes[0]![0] % bytes.length) : bytes
      })
    const type = registry.encode(1, name).contentType
    let slowest = 0
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const start = performance.now()
        try {
          registry.decode(bytes, type, 'binary', { accept })
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
        slowest = Math.max(slowest, performance.now() - start)
      }),
      { numRuns: 2000 },
    )
    expect(slowest).toBeLessThan(1000)
    expect(Object.keys(Object.prototype)).toEqual([])
  })

  test('values that contain themselves, and too deep ones, are refused on writing', () => {
    const loop: unknown[] = []
    loop.push({ loop })
    expect(() => registry.encode(loop, name)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_ENCODE' }))
    const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)])
    expect(() => registry.encode(deep(101), name)).toThrow('nested deeper than 100')
    const { body, contentType, contentEncoding } = registry.encode(deep(100), name)
    expect(pythonRepr(registry.decode(body, contentType, contentEncoding, { accept }))).toBe(pythonRepr(deep(100)))
  })

  test.each([
    ['a function', { run: () => 1 }, '$.run'],
    ['a promise', [1, Promise.resolve(1)], '$[1]'],
    ['an invalid date', { when: [new Date(Number.NaN)] }, '$.when[0]'],
    ['a time before the year 1', [new Date(-1e14)], '$[0]'],
  ])('%s is refused, with its place', (_, value, path) => {
    expect(() => registry.encode(value, name)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_ENCODE', path }))
  })

  test('undefined is left out of an object, and null in an array; what has toJSON says how it is written', () => {
    const price = { toJSON: () => '1.10' }
    const { body, contentType, contentEncoding } = registry.encode({ a: undefined, b: [undefined], price }, name)
    expect(registry.decode(body, contentType, contentEncoding, { accept })).toEqual({ b: [null], price: '1.10' })
  })
})

test.each(['json', 'yaml', 'pickle'])(
  '%s gives a Date where there was one, and a DateTime where it said more',
  (name) => {
    fc.assert(
      fc.property(fc.array(dateTimes), (value) => {
        const { body, contentType, contentEncoding } = registry.encode(value, name)
        deepStrictEqual(registry.decode(body, contentType, contentEncoding, { accept }), value)
      }),
    )
  },
)

describe.each(['4.3', '5.2', '5.6'] as const satisfies FleetVersion[])('typed JSON for Celery %s', (fleetVersion) => {
  test('is read by us at any fleetVersion, as the same value or its text', () => {
    const writer = new SerializerRegistry({ fleetVersion })
    const typed = fc.oneof(dateTimes, times, decimals, uuids)
    fc.assert(
      fc.property(typed, (value) => {
        const { body, contentType } = writer.encode([value])
        const [read] = new SerializerRegistry({ fleetVersion: '4.3' }).decode(body, contentType) as unknown[]
        if (fleetVersion === '5.6') expect(pythonRepr(read)).toBe(pythonRepr(value))
        else {
          const text = value instanceof Date ? DateTime.from(value).isoFormat() : value.toJSON()
          expect(read).toBe(text.replace(/(T.*)\+00:00$/, '$1Z'))
        }
      }),
    )
  })
})
