import { InvalidTaskIdError } from './errors.ts'

/** Longest task id in UTF-16 units. Ids of Celery have 36; MySQL and memcached set narrower limits of their own. */
const MAX_TASK_ID_LENGTH = 512

/**
 * Refuses ids that a store could mistake for another one: text that is not valid Unicode becomes the same bytes for
 * different ids, and some clients end a string at NUL. Everything else is only text: a path, a pattern or a quote in an
 * id means nothing to a key, which always starts with a fixed prefix and is compared whole.
 *
 * @throws InvalidTaskIdError
 */
export function assertTaskId(taskId: string): void {
  // Nearly every id is a UUID, and this one test settles it.
  if (PLAIN_ID.test(taskId)) return
  if (taskId === '') throw new InvalidTaskIdError(taskId, 'is empty')
  if (taskId.length > MAX_TASK_ID_LENGTH) {
    throw new InvalidTaskIdError(taskId, `has ${taskId.length} characters and the limit is ${MAX_TASK_ID_LENGTH}`)
  }
  if (CONTROL_CHARACTER.test(taskId)) throw new InvalidTaskIdError(taskId, 'holds a control character')
  if (LONE_SURROGATE.test(taskId))
    throw new InvalidTaskIdError(taskId, 'is not valid Unicode (half of a surrogate pair)')
}

const PLAIN_ID = /^[\w.:-]{1,128}$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/
// With the u flag a pair is one character, so that only halves are left to match.
const LONE_SURROGATE = /\p{Surrogate}/u

/** `celery-task-meta-`, after the application's own prefix if it has one. */
export function taskKeyPrefix(globalPrefix: string | undefined): string {
  return `${setApart(globalPrefix)}celery-task-meta-`
}

/** `celery-taskset-meta-`, likewise. */
export function groupKeyPrefix(globalPrefix: string | undefined): string {
  return `${setApart(globalPrefix)}celery-taskset-meta-`
}

/** As Celery 5.3 and later: an underscore sets the prefix apart unless it already ends with a separator. */
function setApart(globalPrefix: string | undefined): string {
  if (globalPrefix === undefined || globalPrefix === '') return ''
  return /[:_.-]$/.test(globalPrefix) ? globalPrefix : `${globalPrefix}_`
}

/** The prefix that `result_backend_transport_options` asks for, in either spelling. */
export function globalKeyPrefix(transportOptions: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const prefix = transportOptions?.['global_keyprefix'] ?? transportOptions?.['globalKeyprefix']
  if (prefix === undefined || prefix === null) return undefined
  if (typeof prefix !== 'string') throw new TypeError(`global_keyprefix must be a string, not ${typeof prefix}`)
  return prefix
}
