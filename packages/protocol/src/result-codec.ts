import { decodeUtf8, type JsonOptions, parseJson, stringifyJson } from '@celery/serialization'
import { InvalidResultRecordError } from './errors.ts'
import { isName, isRecord } from './guards.ts'
import type { ResultRecord } from './result-record.ts'

/** A record as JSON, for the store. @throws EncodeError where its result is not data. */
export function encodeResultRecord(record: ResultRecord, options?: JsonOptions): string {
  return stringifyJson(record.result === undefined ? { ...record, result: null } : record, options)
}

/**
 * Reads a record from the store, or from an `rpc` reply, which has fewer fields.
 * @throws InvalidResultRecordError, whatever is wrong with it.
 */
export function decodeResultRecord(stored: unknown, options?: JsonOptions): ResultRecord {
  const value = parseStored(stored, options)
  if (!isRecord(value)) throw new InvalidResultRecordError('record', 'not a JSON object')
  const { task_id, status, result = null, children = null, group_id, parent_id } = value
  if (!isName(task_id)) throw new InvalidResultRecordError('task_id', 'missing, or not 1 to 255 printable characters')
  if (!isName(status)) throw new InvalidResultRecordError('status', 'missing, or not 1 to 255 printable characters')
  if (children !== null && !Array.isArray(children)) throw new InvalidResultRecordError('children', 'not a list')
  const record: ResultRecord = {
    ...value,
    task_id,
    status,
    result,
    traceback: textOrNull(value, 'traceback'),
    children,
    date_done: textOrNull(value, 'date_done'),
  }
  return group_id === undefined && parent_id === undefined ? record : withFamily(record, group_id, parent_id)
}

function parseStored(stored: unknown, options: JsonOptions | undefined): unknown {
  if (typeof stored !== 'string' && !(stored instanceof Uint8Array)) {
    throw new InvalidResultRecordError('record', 'neither text nor bytes')
  }
  try {
    return parseJson(typeof stored === 'string' ? stored : decodeUtf8(stored, 'application/json'), options)
  } catch (cause) {
    throw new InvalidResultRecordError('record', cause instanceof Error ? cause.message : 'not readable', { cause })
  }
}

function textOrNull(record: Readonly<Record<string, unknown>>, field: string): string | null {
  const value = record[field]
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return null
  throw new InvalidResultRecordError(field, 'not text')
}

/** Both are there only where they say something; null is as good as absent. */
function withFamily(
  { group_id: _g, parent_id: _p, ...record }: ResultRecord,
  group: unknown,
  parent: unknown,
): ResultRecord {
  return { ...(record as ResultRecord), ...family('group_id', group), ...family('parent_id', parent) }
}

function family(field: 'group_id' | 'parent_id', value: unknown): Partial<ResultRecord> {
  if (value === null || value === undefined) return {}
  if (isName(value)) return { [field]: value }
  throw new InvalidResultRecordError(field, 'not 1 to 255 printable characters')
}
