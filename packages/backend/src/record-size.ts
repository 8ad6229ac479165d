import { ResultTooLargeError } from './errors.ts'

/** 64 MiB. */
export const DEFAULT_MAX_RECORD_BYTES: number = 64 * 1024 * 1024

/** @throws ResultTooLargeError if `record` has more than `maxBytes`, text as UTF-8. */
export function assertRecordSize(taskId: string, record: string | Uint8Array, maxBytes: number): void {
  // A UTF-16 unit takes at most three bytes, so only a long record needs counting.
  if (record.length * 3 <= maxBytes) return
  const sizeBytes = Buffer.byteLength(record)
  if (sizeBytes > maxBytes) throw new ResultTooLargeError(taskId, sizeBytes, maxBytes)
}
