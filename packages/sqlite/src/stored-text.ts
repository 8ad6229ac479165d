import { isUtf8 } from 'node:buffer'
import type { SqlValue } from './statement.ts'

/**
 * Text that was read with `CAST(… AS BLOB)`; bytes that are no text stay bytes. For columns that others may have written
 * and that a disk may have spoiled: libsql ends the process where a column of text is not UTF-8, and both libraries cut
 * it at a NUL.
 */
export function storedText(value: SqlValue | undefined): string | Uint8Array {
  if (!(value instanceof Uint8Array)) return String(value)
  if (!isUtf8(value)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')
}
