import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { unwrapDead } from './dead-letter.ts'
import { asRedelivered, redeliveriesOf } from './redelivered.ts'

const envelope =
  '{"body": "[]", "headers": {"id": 12345678901234567890}, "properties": {"delivery_info": {"exchange": ""}}}'

describe('an envelope that comes again', () => {
  test('is counted in front, flagged as kombu does, and keeps every digit', () => {
    const once = String(asRedelivered(Buffer.from(envelope)))
    expect(once.startsWith('{"x-redeliveries":1,')).toBe(true)
    expect(once).toContain('12345678901234567890')
    const twice = String(asRedelivered(Buffer.from(once)))
    expect([envelope, once, twice].map(redeliveriesOf)).toEqual([0, 1, 2])
    expect(JSON.parse(twice)).toMatchObject({
      headers: { redelivered: true },
      properties: { delivery_info: { exchange: '', redelivered: true } },
    })
  })

  test('keeps its count when Python has written it anew', () => {
    expect(redeliveriesOf('{"x-redeliveries": 3, "body": ""}')).toBe(3)
    expect(redeliveriesOf('{"x-redeliveries":"3"}')).toBe(0)
  })

  test('is what it was where it is no envelope', () => {
    for (const text of ['', 'x', 'null', '[1]', '"x"']) {
      expect(String(asRedelivered(Buffer.from(text)))).toBe(text)
    }
    const bytes = Buffer.from([0x7b, 0xff, 0x7d])
    expect(asRedelivered(bytes)).toEqual(bytes)
  })

  test('is counted inside of its wrapping where it is a dead letter', () => {
    const wrapped = Buffer.from(`{"at":1,"reason":"no \\",\\"payload\\":","payload":${envelope}}`)
    const again = unwrapDead(Buffer.from(asRedelivered(wrapped)))
    expect(again?.reason).toBe('no ","payload":')
    expect(redeliveriesOf(String(again?.payload))).toBe(1)
  })
})

test('a dead letter comes out of its wrapping byte for byte, whatever it is and whatever it is there for', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string({ unit: 'binary' }), (bytes, reason) => {
      const head = Buffer.from(`{"at":1,"reason":${JSON.stringify(reason)},"payload":`)
      const dead = unwrapDead(Buffer.concat([head, bytes, Buffer.from('}')]))
      expect(Buffer.from(bytes).equals(dead?.payload ?? Buffer.from('none'))).toBe(true)
      expect(dead?.reason).toBe(reason)
    }),
  )
  expect(unwrapDead(Buffer.from('{"at":1}'))).toBeUndefined()
})
