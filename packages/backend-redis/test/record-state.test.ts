import { redisScript } from '@celery/redis'
import { pickleSerializer, SerializerRegistry, stringifyJson } from '@celery/serialization'
import { isMissing, startRedis } from '@celery/test-servers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { recordState } from '../src/record-state.ts'
import { JUDGE_RECORD } from '../src/store-record.ts'
import { fromStored, toStored } from '../src/stored-record.ts'
import { connectTo } from './open-redis-store.ts'

const known = ['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'REVOKED', 'PROGRESS', 'HALF WAY']
const state = fc.oneof(fc.constantFrom(...known), fc.stringMatching(/^[A-Z][A-Z0-9_ -]{0,58}[A-Z]$/))
const value = fc.jsonValue({ maxDepth: 3 })

/** Of every serializer that Celery has, with `status` where Celery puts it; in JSON also anywhere else. */
const record = fc
  .tuple(state, value, fc.constantFrom('json', 'yaml', 'msgpack', 'pickle', 'pyyaml', 'json, sorted', 'json, spaced'))
  .map(([status, result, format]) => ({ status, result, format }))

const jsonTexts = [
  '{"status":"A"}',
  ' { "status" : "A", "result": {"status": "SUCCESS"} }',
  '{"result": {"status": "B"}, "status": "A"}',
]

const odd = ['HALF\nWAY', '"HALF"', '"', 'WAY\r\0', 'Ä 漢', 'X'.repeat(5_000)]

describe('the state of a record', () => {
  test.each(jsonTexts)('is its own and not that of its result: %s', (text) => {
    expect(recordState(text)).toBe('A')
    expect(recordState(Buffer.from(text))).toBe('A')
  })

  test.each([
    ['status: SUCCESS\n', 'SUCCESS'],
    ["a: 1\nstatus: 'it''s'\n", "it's"],
    ['a: 1\nstatus: "HALF\\tWAY"\ntraceback: null\n', 'HALF\tWAY'],
    ['result:\n  status: SUCCESS\n', undefined],
    ['result: |-\n  status: SUCCESS\nstatus: STARTED\n', 'STARTED'],
    ['{"status": "H\\u00c4LFTE"}', 'HÄLFTE'],
    ['{"status": 1}', undefined],
    ['{"status": ""}', undefined],
    ['{"status": "SUCC', undefined],
    ['["status"]', undefined],
    ['', undefined],
    ['no record', undefined],
  ])('is found, or is not there: %j', (text, expected) => {
    expect(recordState(text)).toBe(expected)
    expect(recordState(Buffer.from(text))).toBe(expected)
  })

  test.each(odd)('is kept beside a record that does not tell it, also where it is %j', (told) => {
    expect(fromStored(Buffer.from(toStored('compressed', told)))).toEqual({
      record: Buffer.from('compressed'),
      state: told,
    })
  })

  test('is kept beside a record that does not tell it, whatever that is', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc.string().map((text) => Buffer.from(`celery-state ${text}`)),
      fc.string().map((text) => Buffer.from(`{"status": "${text}`)),
    )
    fc.assert(
      fc.property(bytes, fc.oneof(state, fc.string({ unit: 'grapheme' })), (original, told) => {
        const stored = fromStored(Buffer.from(toStored(original, told)))
        expect([Buffer.from(stored.record), stored.state]).toEqual([Buffer.from(original), told])
      }),
    )
  })
})

describe.skipIf(isMissing('redis'))('the state of a record in the server', () => {
  test('is the one that we find, in every format', async () => {
    await using server = await startRedis()
    await using client = await connectTo(server.url)
    const script = redisScript(`${JUDGE_RECORD}
      local states = {}
      for i, text in ipairs(ARGV) do states[i] = state_of_head(string.sub(text, 1, 512)) or state_of(text) or '' end
      return states`)
    const serializers = new SerializerRegistry().register('pickle', pickleSerializer())
    await Promise.all(['yaml', 'msgpack', 'pickle'].map((name) => serializers.load(name)))
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 30 }), async (records) => {
        const encoded = records.map(({ format, result, status }) => {
          const data = { status, result, traceback: null, children: [], task_id: 'x' }
          if (format === 'json, sorted') return stringifyJson({ result, status, task_id: 'x' })
          if (format === 'json, spaced') return JSON.stringify(data, undefined, 2)
          if (format === 'pyyaml') return `children: []\nresult: null\nstatus: ${status}\ntraceback: null\n`
          return serializers.encode(data, format).body
        })
        const expected = records.map(({ status }) => status)
        expect(encoded.map((each) => recordState(each))).toEqual(expected)
        expect(await client.script(script, [], encoded)).toEqual(expected)
      }),
      { numRuns: 60 },
    )
    const long = 'x'.repeat(1024 * 1024)
    const others = [
      ...odd.map((told) => toStored('compressed', told)),
      JSON.stringify({ status: 'PROGRESS', result: long }),
      JSON.stringify({ result: { status: 'SUCCESS', long }, status: 'PROGRESS' }),
      JSON.stringify({ result: { status: 'SUCCESS' } }),
    ]
    expect(await client.script(script, [], others)).toEqual([...odd, 'PROGRESS', '', ''])
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1 }), async (texts) => {
        expect(await client.script(script, [], texts)).toHaveLength(texts.length)
      }),
      { numRuns: 60 },
    )
  })
})
