import assert from 'node:assert/strict'
import type { ChordCompletion, ChordCounter, ChordPart } from '../result-backend.ts'
import { assertRejects, textOf } from './assertions.ts'
import type { BackendCase, BackendTraits, CaseContext } from './backend-under-test.ts'

const needs = (traits: BackendTraits): boolean => traits.chords === true

/** The parts of a chord are counted, each once, and exactly one call is told that they are all there. */
export const chordCases: readonly BackendCase[] = [
  {
    name: 'completes a chord with its last part, and gives all parts in order of index',
    needs,
    async run(context) {
      const { chords, groupId, part } = begin(context)
      await chords.begin(groupId, 3)
      assert.equal(await chords.recordPart(part(2)), undefined)
      assert.equal(await chords.recordPart(part(0)), undefined)
      assertMembers(await chords.recordPart(part(1)), ['part 0', 'part 1', 'part 2'])
    },
  },
  {
    name: 'completes a chord of one part',
    needs,
    async run(context) {
      const { chords, groupId, part } = begin(context)
      await chords.begin(groupId, 1)
      assertMembers(await chords.recordPart(part(0)), ['part 0'])
    },
  },
  {
    name: 'counts a chord whose size only its parts tell',
    needs,
    async run(context) {
      const { chords, part } = begin(context)
      assert.equal(await chords.recordPart({ ...part(0), size: 2 }), undefined)
      assertMembers(await chords.recordPart({ ...part(1), size: 2 }), ['part 0', 'part 1'])
    },
  },
  {
    name: 'keeps the bytes of a part as they are',
    needs,
    async run(context) {
      const { chords, groupId, part } = begin(context)
      const member = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      await chords.begin(groupId, 1)
      const completion = await chords.recordPart({ ...part(0), member })
      assert.deepEqual([...Buffer.from(completion?.members[0] ?? '')], [...member])
    },
  },
  {
    name: 'counts a part once, however often it is recorded',
    needs,
    async run(context) {
      const { chords, groupId, part } = begin(context)
      await chords.begin(groupId, 2)
      assert.equal(await chords.recordPart(part(0)), undefined)
      assert.equal(await chords.recordPart({ ...part(0), member: 'part 0 again' }), undefined)
      assertMembers(await chords.recordPart(part(1)), ['part 0', 'part 1'])
    },
  },
  {
    name: 'puts the success of a part in place of its failure, and not the other way round',
    needs,
    async run(context) {
      const { chords, groupId, part } = begin(context)
      await chords.begin(groupId, 3)
      await chords.recordPart({ ...part(0), state: 'FAILURE', member: 'failed' })
      await chords.recordPart(part(0))
      await chords.recordPart(part(1))
      await chords.recordPart({ ...part(1), state: 'FAILURE', member: 'failed' })
      assertMembers(await chords.recordPart(part(2)), ['part 0', 'part 1', 'part 2'])
    },
  },
  {
    name: 'completes again for the part that completed, and for no other, until the completion is disposed',
    needs,
    async run(context) {
      const { chords, groupId, part } = begin(context)
      const other = (await context.connect()).chords
      await chords.begin(groupId, 2)
      await chords.recordPart(part(0))
      await chords.recordPart(part(1))
      assert.equal(await other?.recordPart(part(0)), undefined)
      const again = await other?.recordPart(part(1))
      assertMembers(again, ['part 0', 'part 1'])
      await again?.[Symbol.asyncDispose]()
      assert.equal(await chords.recordPart(part(0)), undefined)
      assert.equal(await chords.recordPart(part(1)), undefined)
    },
  },
  {
    name: 'does not complete a chord of one part again after its completion was disposed',
    needs,
    async run(context) {
      const { chords, part } = begin(context)
      const completion = await chords.recordPart({ ...part(0), size: 1 })
      await completion?.[Symbol.asyncDispose]()
      await completion?.[Symbol.asyncDispose]()
      assert.equal(await chords.recordPart({ ...part(0), size: 1 }), undefined)
    },
  },
  {
    name: 'waits for parts that others have added, each of which counts once',
    needs,
    async run(context) {
      const { chords, groupId, part } = begin(context)
      await chords.begin(groupId, 1)
      await chords.extend(groupId, [part(1).taskId, part(2).taskId])
      await chords.extend(groupId, [part(1).taskId])
      assert.equal(await chords.recordPart(part(0)), undefined)
      assert.equal(await chords.recordPart(part(1)), undefined)
      assertMembers(await chords.recordPart(part(2)), ['part 0', 'part 1', 'part 2'])
    },
  },
  {
    name: 'tells exactly one of many that record the parts of a chord at once',
    needs,
    async run(context) {
      const { chords, groupId, part } = begin(context)
      const other = (await context.connect()).chords ?? chords
      const size = 60
      await chords.begin(groupId, size)
      const parts = Array.from({ length: size }, (_, index) => part(index))
      const completions = await Promise.all(parts.map((each, i) => (i % 2 === 0 ? chords : other).recordPart(each)))
      const found = completions.filter((each) => each !== undefined)
      assert.equal(found.length, 1)
      assertMembers(
        found[0],
        parts.map((_, index) => `part ${index}`),
      )
    },
  },
  {
    name: 'keeps chords apart whose ids are odd',
    needs,
    async run(context) {
      const { chords, part } = begin(context)
      const ids = ['a', 'a.j', 'a.s', '*', '../a', '{a}', 'é'].map((odd) => `${context.id('chord')}${odd}`)
      for (const groupId of ids) await chords.begin(groupId, 2)
      for (const groupId of ids) assert.equal(await chords.recordPart({ ...part(0), groupId }), undefined)
      for (const groupId of ids) {
        assertMembers(await chords.recordPart({ ...part(1), groupId }), ['part 0', 'part 1'])
      }
    },
  },
  {
    name: 'refuses ids that no store keeps apart, and chords of no size',
    needs,
    async run(context) {
      const { chords, groupId, part } = begin(context)
      await assertRejects(chords.begin('', 1), 'ERR_CELERY_INVALID_TASK_ID')
      await assertRejects(chords.extend(groupId, ['line\nbreak']), 'ERR_CELERY_INVALID_TASK_ID')
      await assertRejects(chords.recordPart({ ...part(0), taskId: '' }), 'ERR_CELERY_INVALID_TASK_ID')
      for (const size of [0, -1, 1.5, Number.NaN]) await assert.rejects(chords.begin(groupId, size), RangeError)
    },
  },
]

interface Chord {
  readonly chords: ChordCounter
  readonly groupId: string
  /** The part of this index, successful, with the same task whenever it is asked for. */
  part(index: number): ChordPart
}

function begin({ backend, id }: CaseContext): Chord {
  const { chords } = backend
  assert.ok(chords !== undefined, 'a backend that claims to count chords has no counter')
  const groupId = id('chord')
  const part = (index: number): ChordPart => ({
    groupId,
    taskId: `${groupId}-part-${index}-`,
    index,
    state: 'SUCCESS',
    member: `part ${index}`,
  })
  return { chords, groupId, part }
}

function assertMembers(completion: ChordCompletion | undefined, members: readonly string[]): void {
  assert.deepEqual(completion?.members.map(textOf), members)
}
