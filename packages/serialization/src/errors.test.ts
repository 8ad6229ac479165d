import { describe, expect, test } from 'vitest'
import { ContentDisallowedError, UnknownCompressionError, UnknownSerializerError } from './errors.ts'
import { SerializerRegistry } from './serializer-registry.ts'

const forged = 'x\u007f\u009b31m\u2028\u202e\n2026-11-22 all is well'
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/

describe('H-32 what comes from outside breaks no line of a log', () => {
  test.each([
    new ContentDisallowedError(forged, ['application/json']),
    new UnknownSerializerError(forged, ['json']),
    new UnknownCompressionError(forged, ['zlib']),
  ])('in the message of $name', (error) => {
    expect(error.message).toContain('"x\\u007f\\u009b31m\\u2028\\u202e\\n')
    expect(error.message).not.toMatch(unsafe)
  })

  test.each([
    ['application/json', JSON.stringify({ __type__: `datetime${forged}`, __value__: 1 })],
    ['application/json', JSON.stringify({ __type__: 'datetime', __value__: forged })],
    ['text/plain', 'text', forged],
  ])('in what is said of a bad body of %s: %j %s', (contentType, body, encoding = 'utf-8') => {
    const accept = new Set(['application/json', 'text/plain'])
    let said = ''
    try {
      new SerializerRegistry().decode(Buffer.from(body), contentType, encoding, { accept })
    } catch (error) {
      for (let each = error; each instanceof Error; each = each.cause) said += each.message
    }
    expect(said).toContain('\\u2028')
    expect(said).not.toMatch(unsafe)
  })

  test('in what is said of where a value cannot be written', () => {
    const value = { fine_1: [{ [forged]: Symbol('x') }] }
    let said = ''
    try {
      new SerializerRegistry().encode(value, 'json')
    } catch (error) {
      said = (error as Error).message
    }
    expect(said).toContain('$.fine_1[0]["x\\u007f')
    expect(said).not.toMatch(unsafe)
  })
})
