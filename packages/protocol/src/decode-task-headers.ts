import { InvalidTaskMessageError } from './errors.ts'
import { isCount, isName, isRecord, isTimeLimit, MAX_TIME_LIMIT } from './guards.ts'
import { parseIsoTime } from './iso-time.ts'
import type { TaskHeaders } from './task-types.ts'

const NO_LIMITS: TaskHeaders['timelimit'] = [null, null]

type Untrusted = Readonly<Record<string, unknown>>

/**
 * Reads the headers of a protocol 2 message. Only `task` and `id` must be there; what is missing or null gets the
 * value that Python's worker would use. A time limit of 0 means none. Headers we do not know are kept.
 *
 * @throws InvalidTaskMessageError for the first header that is not what it must be.
 */
export function decodeTaskHeaders(headers: unknown): TaskHeaders {
  if (!isRecord(headers)) throw new InvalidTaskMessageError('headers', 'an object', headers)
  const task = requiredName(headers, 'task')
  const id = requiredName(headers, 'id')
  const compression = optionalText(headers, 'compression')
  const decoded: TaskHeaders = {
    // First, so that the shape stays that of the parsed object and the user's own headers come along.
    ...headers,
    lang: optionalText(headers, 'lang') ?? '',
    task,
    id,
    shadow: optionalText(headers, 'shadow'),
    eta: optionalTime(headers, 'eta'),
    expires: optionalTime(headers, 'expires'),
    group: optionalName(headers, 'group'),
    group_index: optionalCount(headers, 'group_index'),
    retries: optionalCount(headers, 'retries') ?? 0,
    timelimit: timeLimits(headers),
    root_id: optionalName(headers, 'root_id') ?? id,
    parent_id: optionalName(headers, 'parent_id'),
    argsrepr: optionalText(headers, 'argsrepr') ?? '',
    kwargsrepr: optionalText(headers, 'kwargsrepr') ?? '',
    origin: optionalText(headers, 'origin') ?? '',
    ignore_result: optionalFlag(headers, 'ignore_result'),
    replaced_task_nesting: optionalCount(headers, 'replaced_task_nesting') ?? 0,
    stamped_headers: stampedHeaders(headers),
    stamps: stamps(headers),
  }
  return compression === null && 'compression' in headers ? withoutCompression(decoded) : decoded
}

/** The id of a message whose headers may be broken otherwise, so that its failure can be stored under it. */
export function readTaskId(headers: unknown): string | undefined {
  return isRecord(headers) && isName(headers['id']) ? headers['id'] : undefined
}

function requiredName(headers: Untrusted, field: string): string {
  const value = headers[field]
  if (isName(value)) return value
  throw invalid(field, '1 to 255 printable characters', value)
}

function optionalName(headers: Untrusted, field: string): string | null {
  const value = headers[field]
  if (value === null || value === undefined) return null
  if (isName(value)) return value
  throw invalid(field, '1 to 255 printable characters', value)
}

function optionalText(headers: Untrusted, field: string): string | null {
  const value = headers[field]
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return null
  throw invalid(field, 'text', value)
}

function optionalFlag(headers: Untrusted, field: string): boolean | null {
  const value = headers[field]
  if (typeof value === 'boolean') return value
  if (value === null || value === undefined) return null
  throw invalid(field, 'true, false or null', value)
}

function optionalCount(headers: Untrusted, field: string): number | null {
  const value = headers[field]
  if (value === null || value === undefined) return null
  if (isCount(value)) return value
  throw invalid(field, 'an integer from 0 to 2147483647', value)
}

function optionalTime(headers: Untrusted, field: string): string | null {
  const value = headers[field]
  if (value === null || value === undefined) return null
  if (typeof value === 'string' && parseIsoTime(value) !== undefined) return value
  throw invalid(field, 'an ISO 8601 time', value)
}

function timeLimits(headers: Untrusted): TaskHeaders['timelimit'] {
  const value = headers['timelimit']
  if (value === null || value === undefined) return NO_LIMITS
  if (!Array.isArray(value) || value.length !== 2) throw invalid('timelimit', '[hard, soft]', value)
  const [hard, soft] = value as readonly unknown[]
  if (hard === null && soft === null) return NO_LIMITS
  return [timeLimit(hard), timeLimit(soft)]
}

function timeLimit(value: unknown): number | null {
  if (value === null || value === 0) return null
  if (isTimeLimit(value)) return value
  throw invalid('timelimit', `seconds from 0 to ${MAX_TIME_LIMIT}, or null`, value)
}

function stampedHeaders(headers: Untrusted): readonly string[] | null {
  const value = headers['stamped_headers']
  if (value === null || value === undefined) return null
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value
  throw invalid('stamped_headers', 'a list of names', value)
}

function stamps(headers: Untrusted): Untrusted {
  const value = headers['stamps']
  if (value === null || value === undefined) return {}
  if (isRecord(value)) return value
  throw invalid('stamps', 'an object', value)
}

function withoutCompression(headers: TaskHeaders): TaskHeaders {
  const { compression: _, ...rest } = headers
  return rest as TaskHeaders
}

function invalid(field: string, expected: string, found: unknown): InvalidTaskMessageError {
  return new InvalidTaskMessageError(`headers.${field}`, expected, found)
}
