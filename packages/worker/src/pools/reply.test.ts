import type { TraceOutcome } from '@celery/app/internal'
import { encodeEnvelope, type WireMessage } from '@celery/protocol'
import { expect, test } from 'vitest'
import { joinOutcome, splitOutcome } from './reply.ts'

const message = { headers: {}, properties: {}, body: '[]', contentType: 'application/json', contentEncoding: 'utf-8' }
const address = { exchange: '', routingKey: 'q', deliveryTag: 't', bodyEncoding: 'none' } as const
const to = { exchange: '', routingKey: 'q', mandatory: true }
const done: TraceOutcome = { state: 'SUCCESS', runtime: 0.5, text: '3' }
const write = { taskId: 'a', state: 'SUCCESS', record: '{"result": "é"}', ttlMs: 5 }

/** There and back, over what JSON and a pipe leave of it. */
function travel(outcome: TraceOutcome): TraceOutcome {
  const { body, header } = splitOutcome(outcome)
  return joinOutcome(JSON.parse(JSON.stringify(header)), Buffer.from(body))
}

test.each<[string, TraceOutcome]>([
  ['nothing to store or send', done],
  ['a record', { ...done, write }],
  ['records of steps that were not reached', { ...done, unreached: [write, { ...write, taskId: 'b' }] }],
  ['these and its own', { ...done, write, unreached: [{ ...write, record: Buffer.from([0, 255]) }] }],
  ['follow-ups', { ...done, publish: [{ ...to, message }] }],
  ['both, and why it is dead', { ...done, write, publish: [{ ...to, message, notBeforeMs: 5 }], dead: 'because' }],
  ['an integer beyond 2^53', { ...done, publish: [{ ...to, message: { ...message, headers: { n: 2n ** 64n } } }] }],
])('an outcome with %s arrives as it was sent', (_what, outcome) => {
  expect(travel(outcome)).toEqual(outcome)
})

test('P-2 what an envelope holds of a follow-up arrives, however deep it is', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 2n ** 64n : { in: nested(depth - 1) })
  const deep = { x: nested(98) } as Readonly<Record<string, unknown>>
  const outcome: TraceOutcome = {
    ...done,
    publish: [{ ...to, message: { ...message, headers: deep, properties: deep } }],
  }
  expect(encodeEnvelope(outcome.publish?.[0]?.message as WireMessage, address)).toContain('18446744073709551616')
  expect(travel(outcome)).toEqual(outcome)
  const deeper = { ...done, publish: [{ ...to, message: { ...message, headers: { x: nested(100) } } }] }
  expect(() => splitOutcome(deeper)).toThrow(
    /^cannot write the headers of a message to "q"\.x\.in.* as application\/json: /,
  )
})

test('a record of bytes arrives as bytes', () => {
  const record = Buffer.from(Uint8Array.from({ length: 256 }, (_, n) => n))
  expect(travel({ ...done, write: { ...write, record } })).toEqual({ ...done, write: { ...write, record } })
})

test('bytes arrive as bytes', () => {
  const body = Uint8Array.from({ length: 256 }, (_, n) => n)
  const [follow] = travel({ ...done, write, publish: [{ ...to, message: { ...message, body } }] }).publish ?? []
  expect(Buffer.from(follow?.message.body ?? '')).toEqual(Buffer.from(body))
  expect(follow).not.toHaveProperty('isBytes')
})
