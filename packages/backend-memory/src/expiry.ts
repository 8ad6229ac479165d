/** When a record written at `now` expires, in milliseconds since 1970. */
export function expiry(ttlMs: number | undefined, now: number): number {
  return ttlMs === undefined ? Number.POSITIVE_INFINITY : now + ttlMs
}
