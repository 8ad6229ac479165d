const LONGEST_TTL_MS = 1e15

/** Whole milliseconds for `PX`, which refuses 0, or 0 for ever. */
export function ttlArgument(ttlMs: number | undefined): string {
  if (ttlMs === undefined || ttlMs > LONGEST_TTL_MS) return '0'
  return String(Math.max(1, Math.ceil(ttlMs)))
}
