/**
 * A record that does not tell its state, a compressed one for example, is kept behind a line that does:
 *
 *     celery-state SUCCESS\n
 *
 * A state that would not fit into a line is written there as JSON.
 *
 * Python cannot read such a value, nor could it read the record alone.
 */
import { recordState } from './record-state.ts'

const MARK = 'celery-state '

/** What is stored for a record: the record itself, as Python writes it, wherever it tells its state. */
export function toStored(record: string | Uint8Array, state: string): string | Uint8Array {
  // As nearly every record of ours begins.
  if (typeof record === 'string' && record.startsWith(`{"status":"${state}",`)) return record
  if (!startsWithMark(record) && recordState(record) === state) return record
  const told = /["\p{Cc}]/u.test(state) ? JSON.stringify(state) : state
  return Buffer.concat([Buffer.from(`${MARK}${told}\n`), Buffer.from(record)])
}

/** The record in what is stored, and its state; without one where another program wrote it. */
export function fromStored(stored: Uint8Array): { readonly record: Uint8Array; readonly state: string | undefined } {
  if (startsWithMark(stored)) {
    const end = stored.indexOf(0x0a)
    if (end !== -1) {
      const told = Buffer.from(stored.subarray(MARK.length, end)).toString()
      return { record: stored.subarray(end + 1), state: told.startsWith('"') ? fromJson(told) : told }
    }
  }
  return { record: stored, state: recordState(stored) }
}

function fromJson(told: string): string {
  try {
    return String(JSON.parse(told))
  } catch {
    return told
  }
}

function startsWithMark(record: string | Uint8Array): boolean {
  if (typeof record === 'string') return record.startsWith(MARK)
  return record[0] === MARK.charCodeAt(0) && Buffer.from(record.subarray(0, MARK.length)).toString('latin1') === MARK
}
