import { Random } from './random.ts'

/** What a client may send in one publish. */
export const callKinds = ['noop', 'sleep', 'burn', 'chain2', 'chain3', 'fail'] as const

export type CallKind = (typeof callKinds)[number]

/** One publish that the client is to make. */
export interface PlannedCall {
  readonly id: string
  readonly kind: CallKind
  /** Milliseconds that each of its tasks is to take. */
  readonly takesMs: readonly number[]
}

/** One task of a call. */
export interface CallTask {
  readonly id: string
  /** Whether a record has to be in the result store at the end. */
  readonly keepsResult: boolean
  readonly expectedState: 'SUCCESS' | 'FAILURE'
  /** The step of its chain that comes before it. */
  readonly after?: string
}

/** In a hundred calls there are so many of each kind. */
const mixture: readonly (readonly [CallKind, number])[] = [
  ['noop', 50],
  ['sleep', 20],
  ['burn', 8],
  ['chain2', 8],
  ['chain3', 6],
  ['fail', 8],
]

/** Of all tasks, those that take `meanMs` on average; the others take next to nothing. From `mixture`: 62 of 128. */
const sleepingShare = 62 / 128

/** The mean time of sleeping tasks with which a task takes `slotMs` of its slot on average. */
export function sleepFor(slotMs: number): number {
  return slotMs / sleepingShare
}

/** The call of that number: always the same for the same seed. `most` limits how many tasks it has. */
export function planCall(seed: number, index: number, options: { meanMs: number; most: number }): PlannedCall {
  const random = new Random(seed, 1_000_000 + index)
  const drawn = drawKind(random)
  const kind = taskCount(drawn) > options.most ? 'noop' : drawn
  const sleepMs = (): number => Math.round(random.between(0.2, 1.8) * options.meanMs)
  const takesMs: Readonly<Record<CallKind, () => number[]>> = {
    noop: () => [],
    sleep: () => [sleepMs()],
    burn: () => [2 + random.below(6)],
    chain2: () => [sleepMs(), sleepMs()],
    chain3: () => [sleepMs(), sleepMs(), sleepMs()],
    fail: () => [sleepMs()],
  }
  return { id: `c${index}`, kind, takesMs: takesMs[kind]() }
}

function drawKind(random: Random): CallKind {
  let drawn = random.below(100)
  for (const [kind, share] of mixture) {
    drawn -= share
    if (drawn < 0) return kind
  }
  return 'noop'
}

/** The tasks that a confirmed call brings with it, in the order in which they run. */
export function tasksOf(callId: string, kind: CallKind): readonly CallTask[] {
  switch (kind) {
    case 'noop':
      return [{ id: callId, keepsResult: false, expectedState: 'SUCCESS' }]
    case 'sleep':
    case 'burn':
      return [{ id: callId, keepsResult: true, expectedState: 'SUCCESS' }]
    case 'chain2':
    case 'chain3':
      return chainTaskIds(callId, kind).map((id, index, ids) => {
        const before = ids[index - 1]
        return { id, keepsResult: true, expectedState: 'SUCCESS', ...(before === undefined ? {} : { after: before }) }
      })
    case 'fail':
      return [
        { id: callId, keepsResult: true, expectedState: 'FAILURE' },
        { id: rescueTaskId(callId), keepsResult: false, expectedState: 'SUCCESS' },
      ]
  }
}

export function taskCount(kind: CallKind): number {
  return tasksOf('', kind).length
}

export function chainTaskIds(callId: string, kind: 'chain2' | 'chain3'): readonly string[] {
  return kind === 'chain2' ? [`${callId}.1`, `${callId}.2`] : [`${callId}.1`, `${callId}.2`, `${callId}.3`]
}

/** The error callback of a failing task. */
export function rescueTaskId(callId: string): string {
  return `${callId}.rescue`
}
