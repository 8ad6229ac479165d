/** Bodies of which each byte asks for as much as it can, at every serializer. */
import { CeleryError } from '@celery/promises'
import type { Codecs } from './codecs.ts'
import { measure } from './cpu-time.ts'
import { copyingPickles, denseBodies } from './dense-bodies.ts'
import { heapBytes } from './heap-bytes.ts'
import { megabytes } from './report.ts'

const sizeBytes = 2 ** 20
/** Milliseconds of computing that one of them may take. No more comes of a larger one: its memory is counted. */
const mostMs = 2_000
/** What a value may keep: the serializers' own limit, and half as much again for what they count too little. */
const mostBytes = 1.5 * (64 * 2 ** 20 + 8 * sizeBytes)

/** @param onProgress - Is told of each serializer that is done. */
export function fuzzDense(
  { accept, serializers }: Codecs,
  onProgress: (line: string) => void,
): { readonly cases: number; readonly slow: number; readonly reasons: readonly string[] } {
  const reasons: string[] = []
  let cases = 0
  let slow = 0
  for (const [name, dense] of Object.entries(denseBodies)) {
    const { contentType } = serializers.encode(null, name)
    const slowest = { what: '', ms: 0 }
    const largest = { what: '', bytes: 0 }
    for (const [what, body] of Object.entries(name === 'pickle' ? { ...dense, ...copyingPickles } : dense)) {
      cases++
      const bytes = body(sizeBytes)
      // In a list, for the engine forgets a variable that nobody reads again.
      const values: unknown[] = []
      const before = heapBytes()
      const [error, tookMs] = measure(() => {
        try {
          values.push(serializers.decode(bytes, contentType, 'binary', { accept }))
          return undefined
        } catch (thrown) {
          return thrown
        }
      })
      const kept = heapBytes() - before
      values.pop()
      if (tookMs > slowest.ms) Object.assign(slowest, { what, ms: tookMs })
      if (kept > largest.bytes) Object.assign(largest, { what, bytes: kept })
      if (tookMs > mostMs) {
        slow++
        reasons.push(`${name}: ${what} took ${Math.round(tookMs)} ms`)
      }
      if (kept > mostBytes) reasons.push(`${name}: ${what} became ${megabytes(kept)}`)
      if (error !== undefined && !CeleryError.is(error, 'ERR_CELERY_DECODE'))
        reasons.push(`${name}: ${what} threw ${String(error)}`)
    }
    onProgress(
      `${name}, 1 MiB as dense as can be: slowest ${slowest.ms.toFixed(0)} ms (${slowest.what}), largest ${megabytes(largest.bytes)} (${largest.what})`,
    )
  }
  return { cases, slow, reasons }
}
