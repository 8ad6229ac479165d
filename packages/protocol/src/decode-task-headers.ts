import { InvalidTaskMessageError } from './errors.ts'
import { isCount, isName, isRecord, isTimeLimit, MAX_TIME_LIMIT } from './guards.ts'
import { parseIsoTime } from './iso-time.ts'
import type { TaskHeaders } from './task-types.ts'

const NO_LIMITS: TaskHeaders['timelimit'] = [null, null]

type Untrusted = Readonly<Record<string, unknown>>
/** The headers of the message itself, where others come from its body; for errors only. */
type Own = Untrusted | undefined

/**
 * Reads the headers of a protocol 2 message. Only `task` and `id` must be there; what is missing or null gets the
 * value that Python's worker would use. A time limit of 0 means none. Headers we do not know are kept.
 *
 * @throws InvalidTaskMessageError for the first header that is not what it must be.
 */
export function decodeTaskHeaders(headers: unknown): TaskHeaders {
  if (!isRecord(headers)) throw new InvalidTaskMessageError('headers', 'an object', headers)
  return decodeHeaderFields(headers, undefined)
}

/**
 * The same for headers that were put together from those of the message and from its body.
 *
 * @param own - Those of the message alone.
 * @throws InvalidTaskMessageError
 */
export function decodeHeaderFields(headers: Untrusted, own: Own): TaskHeaders {
  const task = requiredName(headers, own, 'task')
  const id = requiredName(headers, own, 'id')
  const compression = optionalText(headers, own, 'compression')
  const decoded: TaskHeaders = {
    // First, so that the shape stays that of the parsed object and the user's own headers come along.
    ...headers,
    lang: optionalText(headers, own, 'lang') ?? '',
    task,
    id,
    shadow: optionalText(headers, own, 'shadow'),
    eta: optionalTime(headers, own, 'eta'),
    expires: optionalTime(headers, own, 'expires'),
    group: optionalName(headers, own, 'group'),
    group_index: optionalCount(headers, own, 'group_index'),
    retries: optionalCount(headers, own, 'retries') ?? 0,
    timelimit: timeLimits(headers, own),
    root_id: optionalName(headers, own, 'root_id') ?? id,
    parent_id: optionalName(headers, own, 'parent_id'),
    argsrepr: optionalText(headers, own, 'argsrepr') ?? '',
    kwargsrepr: optionalText(headers, own, 'kwargsrepr') ?? '',
    origin: optionalText(headers, own, 'origin') ?? '',
    ignore_result: optionalFlag(headers, own, 'ignore_result'),
    replaced_task_nesting: optionalCount(headers, own, 'replaced_task_nesting') ?? 0,
    stamped_headers: stampedHeaders(headers, own),
    stamps: stamps(headers, own),
  }
  return compression === null && 'compression' in headers ? withoutCompression(decoded) : decoded
}

/**
 * The id of a message that may be broken otherwise, so that its failure can be stored under it.
 *
 * @param places - Where it may stand, in this order: the headers; for protocol 1 the decoded body, if there is one.
 */
export function readTaskId(...places: readonly unknown[]): string | undefined {
  for (const place of places) {
    if (isRecord(place) && isName(place['id'])) return place['id']
  }
  return undefined
}

function requiredName(headers: Untrusted, own: Own, field: string): string {
  const value = headers[field]
  if (isName(value)) return value
  throw invalid(own, field, '1 to 255 printable characters', value)
}

function optionalName(headers: Untrusted, own: Own, field: string): string | null {
  const value = headers[field]
  if (value === null || value === undefined) return null
  if (isName(value)) return value
  throw invalid(own, field, '1 to 255 printable characters', value)
}

function optionalText(headers: Untrusted, own: Own, field: string): string | null {
  const value = headers[field]
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return null
  throw invalid(own, field, 'text', value)
}

function optionalFlag(headers: Untrusted, own: Own, field: string): boolean | null {
  const value = headers[field]
  if (typeof value === 'boolean') return value
  if (value === null || value === undefined) return null
  throw invalid(own, field, 'true, false or null', value)
}

function optionalCount(headers: Untrusted, own: Own, field: string): number | null {
  const value = headers[field]
  if (value === null || value === undefined) return null
  if (isCount(value)) return value
  throw invalid(own, field, 'an integer from 0 to 2147483647', value)
}

function optionalTime(headers: Untrusted, own: Own, field: string): string | null {
  const value = headers[field]
  if (value === null || value === undefined) return null
  if (typeof value === 'string' && parseIsoTime(value) !== undefined) return value
  throw invalid(own, field, 'an ISO 8601 time', value)
}

function timeLimits(headers: Untrusted, own: Own): TaskHeaders['timelimit'] {
  const value = headers['timelimit']
  if (value === null || value === undefined) return NO_LIMITS
  if (!Array.isArray(value) || value.length !== 2) throw invalid(own, 'timelimit', '[hard, soft]', value)
  const [hard, soft] = value as readonly unknown[]
  if (hard === null && soft === null) return NO_LIMITS
  return [timeLimit(own, hard), timeLimit(own, soft)]
}

function timeLimit(own: Own, value: unknown): number | null {
  if (value === null || value === 0) return null
  if (isTimeLimit(value)) return value
  throw invalid(own, 'timelimit', `seconds from 0 to ${MAX_TIME_LIMIT}, or null`, value)
}

function stampedHeaders(headers: Untrusted, own: Own): readonly string[] | null {
  const value = headers['stamped_headers']
  if (value === null || value === undefined) return null
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value
  throw invalid(own, 'stamped_headers', 'a list of names', value)
}

function stamps(headers: Untrusted, own: Own): Untrusted {
  const value = headers['stamps']
  if (value === null || value === undefined) return {}
  if (isRecord(value)) return value
  throw invalid(own, 'stamps', 'an object', value)
}

function withoutCompression(headers: TaskHeaders): TaskHeaders {
  const { compression: _, ...rest } = headers
  return rest as TaskHeaders
}

function invalid(own: Own, field: string, expected: string, found: unknown): InvalidTaskMessageError {
  const place = own === undefined || Object.hasOwn(own, field) ? 'headers' : 'body'
  return new InvalidTaskMessageError(`${place}.${field}`, expected, found)
}
