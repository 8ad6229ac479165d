/**
 * Python keeps of a task what its serializer makes of the record and nothing beside it, so the state has to be found in
 * there. Celery writes `status` first in every format but YAML, which it sorts; a short look at the beginning is enough
 * then. `JUDGE_RECORD` does the same inside the server; `record-state.test.ts` compares the two.
 */
import { parseJson } from '@celery/serialization'

/** Longer than any beginning that is looked at. */
const HEAD_LENGTH = 512
/** Within which `status` stands in a format of bytes: only the marks of a map come before it. */
const MARKS_LENGTH = 64

/** JSON, and our YAML. Plain text only: an escape or a letter of another script is for the parser. */
const JSON_HEAD = /^\s*\{\s*"status"\s*:\s*"([ !#-[\]-~]+)"/
const YAML_LINE = /^status:[ \t]+(?:'((?:[^'\n]|'')+)'|("[^\n]+")|([^\s'"#][^\n]*?))[ \t]*$/m

/** The state that a record tells of itself; `undefined` where it is no record, or one of a format that Celery does not have. */
export function recordState(record: string | Uint8Array): string | undefined {
  const bytes =
    typeof record === 'string' ? undefined : Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  if (bytes !== undefined && (bytes[0] ?? 0) >= 0x80) return binaryState(bytes)
  const head = bytes === undefined ? String(record).slice(0, HEAD_LENGTH) : bytes.toString('latin1', 0, HEAD_LENGTH)
  const [, state] = JSON_HEAD.exec(head) ?? []
  if (state !== undefined) return state
  const text = bytes?.toString() ?? String(record)
  return /^\s*\{/.test(head) ? jsonState(text) : yamlState(text)
}

function binaryState(bytes: Buffer): string | undefined {
  const at = bytes.subarray(0, MARKS_LENGTH).indexOf('status')
  if (at < 1) return undefined
  const next = at + 'status'.length
  if (bytes[0] === 0x80) return pickledText(bytes, afterMemo(bytes, next))
  // MessagePack: six bytes of text, and then the text that is wanted.
  return bytes[at - 1] === 0xa6 ? packedText(bytes, next) : undefined
}

/** MessagePack: the length is in the byte before the text, or in one of its own. */
function packedText(bytes: Buffer, at: number): string | undefined {
  const mark = bytes[at] ?? 0
  if (mark > 0xa0 && mark < 0xc0) return textAt(bytes, at + 1, mark - 0xa0)
  return mark === 0xd9 ? textAt(bytes, at + 2, bytes[at + 1]) : undefined
}

/** Pickle remembers most of its texts, by MEMOIZE, BINPUT or LONG_BINPUT. */
function afterMemo(bytes: Buffer, at: number): number {
  return at + (memoLengths.get(bytes[at] ?? 0) ?? 0)
}

const memoLengths: ReadonlyMap<number, number> = new Map([
  [0x94, 1],
  [0x71, 2],
  [0x72, 5],
])

/** Pickle: SHORT_BINUNICODE or the SHORT_BINSTRING of Python 2, with one byte of length, or BINUNICODE with four. */
function pickledText(bytes: Buffer, at: number): string | undefined {
  const mark = bytes[at]
  if (mark === 0x8c || mark === 0x55) return textAt(bytes, at + 2, bytes[at + 1])
  return mark === 0x58 ? textAt(bytes, at + 5, bytes[at + 1]) : undefined
}

function textAt(bytes: Buffer, at: number, length: number | undefined): string | undefined {
  const text = bytes.toString('utf8', at, at + (length ?? 0))
  return text === '' ? undefined : text
}

function jsonState(text: string): string | undefined {
  try {
    const record = parseJson(text)
    if (typeof record !== 'object' || record === null || !('status' in record)) return undefined
    return typeof record.status === 'string' && record.status !== '' ? record.status : undefined
  } catch {
    return undefined
  }
}

function yamlState(text: string): string | undefined {
  const [, single, double, plain] = YAML_LINE.exec(text) ?? []
  if (single !== undefined) return single.replaceAll("''", "'")
  return double === undefined ? plain : jsonState(`{"status": ${double}}`)
}
