/** A word, and what each object has before its own: three of them. */
const WORD = 8
const HEAD = 24

/** Bytes that a decoded value takes at the very least; each part of it once, however many places refer to it. */
export function leastMemory(value: unknown, seen: Set<object> = new Set()): number {
  if (typeof value !== 'object' || value === null || seen.has(value)) return 0
  seen.add(value)
  if (value instanceof Uint8Array) return HEAD + value.byteLength
  const parts = partsOf(value)
  return parts.reduce<number>((sum, part) => sum + WORD + leastMemory(part, seen), HEAD)
}

function partsOf(value: object): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (value instanceof Map) return [...value.entries()].flat()
  if (value instanceof Set) return [...value]
  return Object.values(value)
}
