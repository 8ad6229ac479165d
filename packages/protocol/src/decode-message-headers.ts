import { decodeHeaderFields, decodeTaskHeaders } from './decode-task-headers.ts'
import { InvalidTaskMessageError } from './errors.ts'
import { isRecord } from './guards.ts'
import { formatIsoTime, isWritableTime, parseIsoTime } from './iso-time.ts'
import { argsRepr, kwargsRepr } from './python-repr.ts'
import type { TaskHeaders } from './task-types.ts'
import type { WireMessage } from './wire-message.ts'

export interface DecodeMessageHeadersOptions {
  /**
   * What a time without offset means in a message of protocol 1 whose sender does not use UTC: from milliseconds as if
   * it were UTC to milliseconds since 1970.
   *
   * @defaultValue a time in the zone of this process
   */
  readonly fromLocal?: (localMs: number) => number
}

type Untrusted = Readonly<Record<string, unknown>>

/** What a body of protocol 1 may say that is a header in protocol 2; `taskset` is the old name of `group`. */
const HEADERS_IN_BODY = [
  'lang',
  'task',
  'id',
  'shadow',
  'eta',
  'expires',
  'group',
  'group_index',
  'retries',
  'timelimit',
  'root_id',
  'parent_id',
  'argsrepr',
  'kwargsrepr',
  'origin',
  'ignore_result',
] as const

/** Of those, the ones that every client of protocol 2 has written since Celery 4.0. */
const ALWAYS_SENT = HEADERS_IN_BODY.filter((field) => field !== 'group_index' && field !== 'ignore_result')

/**
 * Reads the headers of a task message, whichever protocol it is of. As Celery tells them apart:
 *
 * - headers with a `task`, and a list for a body: protocol 2;
 * - headers with a `task`, and an object for a body: a mixture; what the headers do not say may stand in the body;
 * - headers without `task`, and an object with one for a body: protocol 1.
 *
 * The body is asked for only where it may have something to add, which is never the case for a message as Celery
 * writes it today. `decodeTaskBody` then takes either form.
 *
 * @param readBody - Decompresses and deserializes the body. What it throws comes through.
 * @throws InvalidTaskMessageError for the first header that is not what it must be, or where there is no task.
 */
export function decodeMessageHeaders(
  message: WireMessage,
  readBody: (message: WireMessage) => unknown,
  options?: DecodeMessageHeadersOptions,
): TaskHeaders {
  const { headers } = message
  const hasTask = headers['task'] !== undefined
  if (hasTask && (isJsonList(message) || ALWAYS_SENT.every((field) => headers[field] !== undefined))) {
    return decodeTaskHeaders(headers)
  }
  const body = readBody(message)
  if (isRecord(body)) return decodeHeaderFields(mergedHeaders(headers, body, options), headers)
  if (hasTask) return decodeTaskHeaders(headers)
  throw new InvalidTaskMessageError('headers.task', 'the name of a task, or a body of protocol 1', undefined)
}

/** Whether the body is a list for certain, as far as its first character tells. */
function isJsonList({ body, contentType, headers }: WireMessage): boolean {
  if (contentType !== 'application/json' || (headers['compression'] ?? null) !== null) return false
  return typeof body === 'string' ? body.charCodeAt(0) === OPEN_BRACKET : body[0] === OPEN_BRACKET
}

const OPEN_BRACKET = 0x5b

function mergedHeaders(
  headers: Untrusted,
  body: Untrusted,
  options: DecodeMessageHeadersOptions | undefined,
): Untrusted {
  const { args, kwargs, taskset } = body
  const found: Record<string, unknown> = {}
  for (const field of HEADERS_IN_BODY) found[field] = body[field]
  if (taskset !== undefined && taskset !== null) found['group'] = taskset
  if (Array.isArray(args)) found['argsrepr'] ??= argsRepr(args)
  if (isRecord(kwargs)) found['kwargsrepr'] ??= kwargsRepr(kwargs)
  if (!usesUtc(body)) {
    const fromLocal = options?.fromLocal ?? fromSystemZone
    for (const field of ['eta', 'expires'] as const) found[field] = inUtc(found[field], fromLocal)
  }
  return { ...found, ...headers }
}

function usesUtc({ utc }: Untrusted): boolean {
  if (utc === undefined || utc === null) return true
  if (typeof utc === 'boolean') return utc
  throw new InvalidTaskMessageError('body.utc', 'true or false', utc)
}

/** Leaves alone what has an offset, and what is no time: that is found out later. */
function inUtc(time: unknown, fromLocal: (localMs: number) => number): unknown {
  if (typeof time !== 'string') return time
  let isLocal = false
  const ms = parseIsoTime(time, (localMs) => {
    isLocal = true
    return fromLocal(localMs)
  })
  return isLocal && ms !== undefined && isWritableTime(ms) ? formatIsoTime(ms) : time
}

function fromSystemZone(localMs: number): number {
  const fields = new Date(localMs)
  const date = new Date(0)
  date.setFullYear(fields.getUTCFullYear(), fields.getUTCMonth(), fields.getUTCDate())
  date.setHours(fields.getUTCHours(), fields.getUTCMinutes(), fields.getUTCSeconds(), fields.getUTCMilliseconds())
  return date.getTime()
}
