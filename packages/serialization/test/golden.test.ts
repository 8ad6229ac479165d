import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CompressionRegistry, parseJson, stringifyJson } from '../src/index.ts'

interface Values {
  readonly serializers: {
    readonly json: Readonly<Record<string, { readonly value_repr: string; readonly payload?: string }>>
  }
}

interface Compressions {
  readonly payload: string
  readonly encoders: Readonly<Record<string, { readonly base64: string }>>
  readonly aliases: Readonly<Record<string, string>>
}

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`golden/serialization/${name}.json`, import.meta.url), 'utf8')) as T
}

/** What some of the values are here. */
const EXPECTED: Readonly<Record<string, unknown>> = {
  null: null,
  true: true,
  int: 42,
  int_big: 2n ** 70n,
  int_53: 2n ** 53n + 1n,
  int64_min: -(2n ** 63n),
  float: 1.5,
  float_int: 1,
  float_exp: 1e100,
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  str: 'hello',
  str_unicode: 'é€😀',
  str_ctrl: 'a\nb\0',
  str_surrogate: '\ud800',
  list: [1, 'a'],
  tuple: [1, 2],
  dict: { a: 1, b: { c: null } },
  dict_int_keys: { 1: 'a' },
  dict_none_key: { null: 1 },
}

describe.each(['4.3', '5.2', '5.6'])('written by Celery %s', (version) => {
  const { json } = golden<Values>(`values-${version}`).serializers

  test.each(Object.keys(EXPECTED))('%s is read', (name) => {
    expect(parseJson(json[name]!.payload!)).toEqual(EXPECTED[name])
  })

  const payloads = Object.entries(json).flatMap(([name, { payload }]) =>
    payload === undefined ? [] : [[name, payload]],
  )
  test.each(payloads)('%s is read, written and read the same', (_, payload) => {
    const value = parseJson(payload!)
    expect(parseJson(stringifyJson(value))).toEqual(value)
  })

  const { payload, encoders, aliases } = golden<Compressions>(`compression-${version}`)
  test.each(['application/x-gzip', 'application/x-brotli'])('%s is decompressed', (contentType) => {
    const bytes = new CompressionRegistry().decompress(
      Buffer.from(encoders[contentType]!.base64, 'base64'),
      contentType,
    )
    expect(Buffer.from(bytes).toString()).toBe(payload)
  })

  test('the names we know mean the same', () => {
    const registry = new CompressionRegistry()
    const known = Object.entries(aliases).filter(([alias]) => registry.names().includes(alias))
    expect(known.length).toBeGreaterThanOrEqual(2)
    for (const [alias, contentType] of known) expect(registry.compress('x', alias).contentType).toBe(contentType)
  })
})
