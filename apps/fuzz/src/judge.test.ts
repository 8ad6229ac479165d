import { expect, test } from 'vitest'
import type { Case } from './cases.ts'
import { type Evidence, judge } from './judge.ts'
import type { Reading } from './reading.ts'

const message: Case = { tag: 'tag', payload: '', priority: 0, steps: [] }
const readable: Reading = { id: 'id', ignoresResult: false, etaMs: undefined, error: undefined }
const broken: Reading = { ...readable, error: new Error('broken') }
const nameless: Reading = { ...broken, id: undefined }
const nothing: Evidence = {
  dead: new Map(),
  delayed: new Set(),
  left: new Set(),
  states: new Map(),
  noted: new Set(),
  received: new Set(),
}
const dead = new Map([['tag', 'why']])
const done = new Map([['id', 'SUCCESS']])

test.each<[what: string, reading: Reading, evidence: Partial<Evidence>]>([
  ['ended with a result', readable, { states: done }],
  ['refused, and its task failed', broken, { dead, states: new Map([['id', 'FAILURE']]) }],
  [
    'refused after it was acknowledged, so that a copy is there',
    broken,
    { dead: new Map([['id', 'why']]), states: done },
  ],
  ['refused, and nobody could read an id', nameless, { dead }],
  ['held back until its time', { ...readable, etaMs: 1 }, { delayed: new Set(['tag']) }],
  ['run without a result, as it asked', { ...readable, ignoresResult: true }, { noted: new Set(['id']) }],
  [
    'taken, and failed without a result, as it asked',
    { ...readable, ignoresResult: true },
    { received: new Set(['id']) },
  ],
])('well: %s', (_what, reading, evidence) => {
  expect(judge(message, reading, { ...nothing, ...evidence })).toBeUndefined()
})

test.each<[what: string, reading: Reading, evidence: Partial<Evidence>, reason: RegExp]>([
  ['in the queue', readable, { left: new Set(['tag']), states: done }, /still in the queue/],
  ['held back for nothing', readable, { delayed: new Set(['tag']) }, /held back/],
  ['gone and never run', readable, {}, /its result is missing/],
  ['gone and unreadable', nameless, {}, /it is gone, and cannot be read: broken/],
  ['gone though it cannot be run', broken, { states: done, received: new Set(['id']) }, /no dead letter/],
  ['taken, and no more', readable, { received: new Set(['id']) }, /its result is missing/],
  ['a dead letter without a reason', broken, { dead: new Map([['tag', '']]) }, /does not say why/],
  ['a dead letter without a result', broken, { dead }, /its result is missing/],
  ['a result that is not the end', readable, { states: new Map([['id', 'STARTED']]) }, /its result is STARTED/],
  ['gone without a result or a note', { ...readable, ignoresResult: true }, {}, /its result is missing/],
])('not well: %s', (_what, reading, evidence, reason) => {
  expect(judge(message, reading, { ...nothing, ...evidence })).toMatch(reason)
})
