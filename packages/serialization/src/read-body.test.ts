import { expect, test } from 'vitest'
import { CompressionRegistry } from './compression-registry.ts'
import { ContentDisallowedError, DecodeError, UnknownCompressionError } from './errors.ts'
import { type MessageContent, readBody } from './read-body.ts'
import { SerializerRegistry } from './serializer-registry.ts'

const serializers = new SerializerRegistry()
const compressions = new CompressionRegistry()
const codecs = { serializers, compressions, accept: serializers.acceptList(['json']) }

function message(changes: Partial<MessageContent> = {}): MessageContent {
  return { body: '[1]', contentType: 'application/json', contentEncoding: 'utf-8', headers: {}, ...changes }
}

test('reads a body by its content type, unpacked first where a header says so', () => {
  expect(readBody(message(), codecs)).toEqual([1])
  expect(readBody(message({ headers: { compression: null } }), codecs)).toEqual([1])
  const { body, contentType } = compressions.compress('[1]', 'zlib')
  expect(readBody(message({ body, headers: { compression: contentType } }), codecs)).toEqual([1])
})

test('looks at nothing of what is not accepted, its compression among it', () => {
  for (const compression of [undefined, 5, 'application/x-nobody-knows']) {
    const spoiled = message({ contentType: 'application/x-yaml', headers: { compression } })
    expect(() => readBody(spoiled, codecs)).toThrow(ContentDisallowedError)
  }
})

test('says what is wrong with the compression of what is accepted', () => {
  const noText = message({ headers: { compression: 5 } })
  expect(() => readBody(noText, codecs)).toThrow(DecodeError)
  expect(() => readBody(noText, codecs)).toThrow('its compression header is not text')
  const unknown = message({ headers: { compression: 'application/x-nobody-knows' } })
  expect(() => readBody(unknown, codecs)).toThrow(UnknownCompressionError)
})

test('text and bytes as they are need not be accepted', () => {
  expect(readBody(message({ contentType: 'application/text' }), codecs)).toBe('[1]')
})
