import {
  DateTime,
  decodeUtf8,
  type FleetVersion,
  type JsonOptions,
  parseJson,
  stringifyJson,
} from '@celery/serialization'
import { InvalidResultRecordError } from './errors.ts'
import { isName, isRecord } from './guards.ts'
import { formatIsoTime, isWritableTime, parseIsoTime } from './iso-time.ts'
import type { ResultRecord } from './result-record.ts'

export interface EncodeResultOptions extends JsonOptions {
  /** Before 5.5, the time a task ended is written without the offset, in UTC. @defaultValue `'5.6'` */
  readonly fleetVersion?: FleetVersion
}

/** A record as JSON, for the store. @throws EncodeError where its result is not data. */
export function encodeResultRecord(record: ResultRecord, options?: EncodeResultOptions): string {
  return stringifyJson(resultRecordData(record, options?.fleetVersion), options)
}

/** A record as data for a serializer other than JSON. */
export function resultRecordData(record: ResultRecord, fleetVersion: FleetVersion = '5.6'): ResultRecord {
  const full = record.result === undefined ? { ...record, result: null } : record
  const { date_done } = full
  if (fleetVersion === '5.6' || date_done === null) return full
  return { ...full, date_done: withoutOffset(date_done) }
}

const OFFSET = /(?:Z|z|[+-]\d\d(?::?\d\d){0,2})$/

/** In UTC, without saying so. What has no offset, or is no time, is left as it is. */
function withoutOffset(time: string): string {
  if (time.endsWith('+00:00')) return time.slice(0, -6)
  const ms = OFFSET.test(time) ? parseIsoTime(time) : undefined
  return ms === undefined || !isWritableTime(ms) ? time : formatIsoTime(ms).slice(0, -6)
}

/**
 * Reads a record from the store, or from an `rpc` reply, which has fewer fields.
 * @throws InvalidResultRecordError, whatever is wrong with it.
 */
export function decodeResultRecord(stored: unknown, options?: JsonOptions): ResultRecord {
  return readResultRecord(parseStored(stored, options))
}

/**
 * Reads a record that another serializer than JSON has decoded.
 * @throws InvalidResultRecordError, whatever is wrong with it.
 */
export function readResultRecord(value: unknown): ResultRecord {
  if (!isRecord(value)) throw new InvalidResultRecordError('record', 'not an object')
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
    date_done: timeOrNull(value),
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

/** Celery 4.3 stores a time of YAML or pickle, later ones text in every format. */
function timeOrNull(record: Readonly<Record<string, unknown>>): string | null {
  const value = record['date_done']
  if (!(value instanceof Date)) return textOrNull(record, 'date_done')
  if (!isWritableTime(value.getTime())) throw new InvalidResultRecordError('date_done', 'not a time')
  return DateTime.from(value).isoFormat()
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
