import type { TraceOutcome } from '@celery/app/internal'
import { expect, test } from 'vitest'
import { joinOutcome, splitOutcome } from './reply.ts'

const message = { headers: {}, properties: {}, body: '[]', contentType: 'application/json', contentEncoding: 'utf-8' }
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
  ['follow-ups', { ...done, publish: [{ ...to, message }] }],
  ['both, and why it is dead', { ...done, write, publish: [{ ...to, message, notBeforeMs: 5 }], dead: 'because' }],
  ['an integer beyond 2^53', { ...done, publish: [{ ...to, message: { ...message, headers: { n: 2n ** 64n } } }] }],
])('an outcome with %s arrives as it was sent', (_what, outcome) => {
  expect(travel(outcome)).toEqual(outcome)
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
