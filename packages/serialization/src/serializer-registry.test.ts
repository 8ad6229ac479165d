import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ContentDisallowedError, DecodeError, UnknownSerializerError } from './errors.ts'
import { pickleSerializer } from './pickle/pickle-serializer.ts'
import type { LazySerializer, TextSerializer } from './serializer.ts'
import { SerializerRegistry } from './serializer-registry.ts'

const shout: TextSerializer = {
  contentType: 'application/x-shout',
  contentEncoding: 'utf-8',
  encode: (value) => String(value).toUpperCase(),
  decode(text) {
    if (text === 'BROKEN') throw new RangeError('broken')
    return text.toLowerCase()
  },
}

describe('built-in serializers', () => {
  test('json is the default', () => {
    const registry = new SerializerRegistry()
    const encoded = registry.encode({ a: 1 })
    expect(encoded).toEqual({ contentType: 'application/json', contentEncoding: 'utf-8', body: '{"a":1}' })
    expect(registry.decode(encoded.body, encoded.contentType, encoded.contentEncoding)).toEqual({ a: 1 })
    expect(registry.decode(Buffer.from('{"a":"é"}'), 'application/json')).toEqual({ a: 'é' })
  })

  test('text and raw carry strings and bytes as they are, and nothing else', () => {
    const registry = new SerializerRegistry()
    const accept = registry.acceptList(['text'])
    expect(registry.decode(registry.encode('hé', 'text').body, 'text/plain', 'utf-8', { accept })).toBe('hé')
    const bytes = new Uint8Array([0, 255])
    expect(registry.decode(registry.encode(bytes, 'raw').body, 'application/data', 'binary')).toEqual(bytes)
    expect(() => registry.encode(1, 'text')).toThrow('not number')
    expect(() => registry.encode('x', 'raw')).toThrow('not string')
  })
})

describe('accept list', () => {
  test('only json is accepted unless said otherwise (H-08)', () => {
    const registry = new SerializerRegistry().register('shout', shout)
    expect(() => registry.decode('BROKEN', 'application/x-shout')).toThrow(ContentDisallowedError)
    expect(() => registry.decode('x', 'application/x-python-serialize', 'binary')).toThrow(ContentDisallowedError)
    const accept = registry.acceptList(['shout'])
    expect(registry.decode('HI', 'application/x-shout', 'utf-8', { accept })).toBe('hi')
    expect(() => registry.decode('1', 'application/json', 'utf-8', { accept })).toThrow(ContentDisallowedError)
  })

  test('takes names and content types, and refuses a name that no one registered', () => {
    const registry = new SerializerRegistry()
    expect([...registry.acceptList(['json', 'application/x-other'])]).toEqual([
      'application/json',
      'application/x-other',
    ])
    expect(() => registry.acceptList(['jsn'])).toThrow(UnknownSerializerError)
  })

  test('a content type with parameters is another one, as in Python', () => {
    expect(() => new SerializerRegistry().decode('1', 'application/json; charset=utf-8')).toThrow(
      ContentDisallowedError,
    )
  })

  test('an accepted content type without serializer is unknown', () => {
    const registry = new SerializerRegistry()
    const accept = registry.acceptList(['application/evil'])
    expect(() => registry.decode('1', 'application/evil', 'utf-8', { accept })).toThrow(UnknownSerializerError)
  })

  test('pickle is refused with the reason, until someone registers it (H-08, H-22)', async () => {
    const registry = new SerializerRegistry()
    const body = Buffer.from("cos\nsystem\n(S'true'\ntR.")
    const type = 'application/x-python-serialize'
    expect(() => registry.decode(body, type, 'binary')).toThrow(/is not accepted here .* can run code/)
    const accept = registry.acceptList([type])
    expect(() => registry.decode(body, type, 'binary', { accept })).toThrow(/registered .* can run code/)
    expect(() => registry.encode(1, 'pickle')).toThrow('register pickleSerializer()')
    expect(() => registry.acceptList(['pickle'])).toThrow(UnknownSerializerError)
    registry.register('pickle', pickleSerializer())
    await registry.load('pickle')
    expect([...registry.acceptList(['pickle'])]).toEqual([type])
    expect(() => registry.decode(body, type, 'binary', { accept })).toThrow(DecodeError)
    expect(registry.decode(registry.encode([1], 'pickle').body, type, 'binary', { accept })).toEqual([1])
  })

  test('what is disabled is not read, whatever is accepted', async () => {
    const registry = new SerializerRegistry().disable('msgpack').disable('raw')
    await registry.load('msgpack')
    const accept = registry.acceptList(['msgpack', 'json'])
    const { body, contentType } = registry.encode(1, 'msgpack')
    expect(() => registry.decode(body, contentType, 'binary', { accept })).toThrow(ContentDisallowedError)
    expect(() => registry.decode(body, 'application/data', 'binary', { accept })).toThrow(ContentDisallowedError)
    expect(registry.decode('1', 'application/json', 'utf-8', { accept })).toBe(1)
    expect(registry.enable('msgpack').decode(body, contentType, 'binary', { accept })).toBe(1)
    expect(() => registry.disable('xml')).toThrow(UnknownSerializerError)
  })

  test('a content type is refused before anything else is looked at (H-22)', () => {
    const registry = new SerializerRegistry().disable('raw')
    const accept = registry.acceptList(['json'])
    expect(registry.assertAccepted('application/json', accept)).toBeUndefined()
    expect(registry.assertAccepted('application/text', accept)).toBeUndefined()
    for (const type of ['application/x-yaml', 'application/data', 'application/evil']) {
      expect(() => registry.assertAccepted(type, accept), type).toThrow(ContentDisallowedError)
    }
  })

  test('application/text and application/data need no mention, as in kombu', () => {
    const registry = new SerializerRegistry()
    expect(registry.decode(Buffer.from('hé'), 'application/text')).toBe('hé')
    expect(registry.decode(Buffer.from('hé'), 'application/data', 'utf-8')).toBe('hé')
    expect(registry.decode(Uint8Array.of(255), 'application/data', 'binary')).toEqual(Uint8Array.of(255))
    expect(() => registry.decode(Buffer.from([255]), 'application/data', 'utf-8')).toThrow(DecodeError)
  })

  test('names of Object.prototype are names like any other (H-12)', () => {
    const registry = new SerializerRegistry()
    for (const name of ['__proto__', 'constructor', 'toString']) {
      expect(() => registry.encode(1, name)).toThrow(UnknownSerializerError)
    }
  })
})

describe('what goes wrong in a body', () => {
  const registry = new SerializerRegistry().register('shout', shout)
  const accept = registry.acceptList(['json', 'shout'])

  test('is a DecodeError, whatever the serializer threw', () => {
    expect(() => registry.decode('BROKEN', 'application/x-shout', 'utf-8', { accept })).toThrow(
      expect.objectContaining({ code: 'ERR_CELERY_DECODE', cause: expect.any(RangeError) }),
    )
  })

  test('bytes that are not UTF-8 are a DecodeError (H-05)', () => {
    expect(() => registry.decode(new Uint8Array([0x22, 0xff, 0xfe, 0x22]), 'application/json')).toThrow(DecodeError)
  })

  test('an encoding we do not know is a DecodeError', () => {
    expect(() => registry.decode('1', 'application/json', 'utf-16')).toThrow(DecodeError)
    expect(registry.decode('1', 'application/json', 'UTF-8')).toBe(1)
  })

  test('random bytes give a value or a DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          registry.decode(bytes, 'application/json')
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
    )
  })

  test('what an encoder throws becomes an EncodeError', () => {
    const value = {
      toJSON() {
        throw new RangeError('no')
      },
    }
    expect(() => registry.encode(value)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_ENCODE' }))
  })
})

describe('registering', () => {
  test('a serializer takes the place of one of the same name or content type', () => {
    const registry = new SerializerRegistry()
    registry.register('json', { ...shout, contentType: 'application/json' })
    expect(registry.encode('a').body).toBe('A')
    registry.register('json', shout)
    expect(registry.encode('a').contentType).toBe('application/x-shout')
    expect(() => registry.encode('a', 'application/json')).toThrow(UnknownSerializerError)
    expect(registry.unregister('json')).toBe(true)
    expect(registry.unregister('json')).toBe(false)
    expect(registry.names()).not.toContain('json')
  })

  test('registries share nothing', () => {
    new SerializerRegistry().register('shout', shout)
    expect(new SerializerRegistry().names()).toEqual(['json', 'yaml', 'msgpack', 'text', 'raw'])
  })
})

describe('lazy serializers', () => {
  test('are loaded once, and only when asked', async () => {
    let loads = 0
    const lazy: LazySerializer = {
      contentType: shout.contentType,
      async load() {
        loads++
        return shout
      },
    }
    const registry = new SerializerRegistry().register('shout', lazy)
    expect([...registry.acceptList(['shout'])]).toEqual(['application/x-shout'])
    expect(() => registry.encode('a', 'shout')).toThrow('await load("shout")')
    expect(loads).toBe(0)
    await Promise.all([registry.load('shout'), registry.load('application/x-shout')])
    await registry.load('shout')
    expect(loads).toBe(1)
    expect(registry.encode('a', 'shout').body).toBe('A')
  })

  test('name the package that is missing, and may be loaded again later', async () => {
    let installed = false
    const registry = new SerializerRegistry().register('shout', {
      contentType: shout.contentType,
      packageName: 'shout-codec',
      load: () => (installed ? Promise.resolve(shout) : Promise.reject(new Error('not found'))),
    })
    await expect(registry.load('shout')).rejects.toMatchObject({
      code: 'ERR_CELERY_CODEC_UNAVAILABLE',
      packageName: 'shout-codec',
      message: expect.stringContaining('shout-codec'),
    })
    installed = true
    await registry.load('shout')
    expect(registry.encode('a', 'shout').body).toBe('A')
  })

  test('yaml is one, and names its package', async () => {
    const registry = new SerializerRegistry()
    expect(() => registry.encode(1, 'yaml')).toThrow(expect.objectContaining({ packageName: 'js-yaml' }))
    expect(() => registry.encode(1, 'yaml')).toThrow('npm install js-yaml')
    expect(registry.isLoaded('yaml')).toBe(false)
    await registry.load('application/x-yaml')
    expect(registry.isLoaded('yaml')).toBe(true)
    expect(registry.encode({ a: 1 }, 'yaml').body).toBe('{"a" : 1}\n')
  })

  test('the built-in ones need no loading', async () => {
    await expect(new SerializerRegistry().load('json')).resolves.toBeUndefined()
    await expect(new SerializerRegistry().load('xml')).rejects.toBeInstanceOf(UnknownSerializerError)
  })
})
