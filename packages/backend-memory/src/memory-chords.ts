import { type ChordCompletion, type ChordCounter, type ChordPart, mayReplace } from '@celery/backend'
import { expiry } from './expiry.ts'

/** How long a finished chord is remembered where its counters never expire. */
const ONE_DAY_MS = 86_400_000

/** The chords of a store, by the key of their group. */
export type MemoryChords = Map<string, Chord>

interface Chord {
  size: number | undefined
  readonly added: Set<string>
  readonly parts: Map<string, ChordPart>
  /** The task whose part completed it. */
  last: string | undefined
  /** Whether its completion was disposed. */
  done: boolean
  expiresAt: number
}

/** Synchronous inside, so every step is atomic. */
export function countChords(chords: MemoryChords, groupKeyPrefix: string, now: () => number): ChordCounter {
  const chordOf = (groupId: string, ttlMs: number | undefined): Chord => {
    const key = groupKeyPrefix + groupId
    const found = chords.get(key)
    const chord = found !== undefined && found.expiresAt > now() ? found : emptyChord()
    chord.expiresAt = expiry(ttlMs, now())
    chords.set(key, chord)
    return chord
  }
  return {
    async begin(groupId, size, options) {
      chordOf(groupId, options?.ttlMs).size = size
    },
    async extend(groupId, taskIds, options) {
      const { added } = chordOf(groupId, options?.ttlMs)
      for (const taskId of taskIds) added.add(taskId)
    },
    async recordPart(part, options) {
      const chord = chordOf(part.groupId, options?.ttlMs)
      if (chord.done || !isCompletedBy(chord, part)) return undefined
      return completionOf(chord, () => expiry(options?.ttlMs ?? ONE_DAY_MS, now()))
    },
  }
}

function isCompletedBy(chord: Chord, part: ChordPart): boolean {
  const { last, parts } = chord
  if (last !== undefined) return last === part.taskId
  const before = parts.get(part.taskId)
  // Its owner may use the bytes again.
  const member = typeof part.member === 'string' ? part.member : Uint8Array.from(part.member)
  if (mayReplace(before?.state, part.state)) parts.set(part.taskId, { ...part, member })
  const size = chord.size ?? part.size
  if (before !== undefined || size === undefined || parts.size < size + chord.added.size) return false
  chord.last = part.taskId
  return true
}

function completionOf(chord: Chord, rememberedUntil: () => number): ChordCompletion {
  const inOrder = [...chord.parts.values()].sort((a, b) => placeOf(a) - placeOf(b))
  return {
    members: inOrder.map(({ member }) => member),
    async [Symbol.asyncDispose]() {
      chord.done = true
      chord.parts.clear()
      chord.expiresAt = rememberedUntil()
    },
  }
}

/** Not Infinity, which has no difference to itself. */
function placeOf({ index }: ChordPart): number {
  return index ?? Number.MAX_SAFE_INTEGER
}

function emptyChord(): Chord {
  return { size: undefined, added: new Set(), parts: new Map(), last: undefined, done: false, expiresAt: 0 }
}
