import {
  decodeExceptionForm,
  type ErrorRegistry,
  EXCEPTION_STATES,
  errorFromForm,
  InvalidResultRecordError,
  parseIsoTime,
  type ResultRecord,
  type TaskState,
} from '@celery/protocol'

/** All that is known of a task at one moment. */
export interface TaskMeta {
  readonly taskId: string
  /** `PENDING` where nothing is stored: not run yet, results ignored, expired, or never sent. */
  readonly state: TaskState
  /** The value after SUCCESS, an `Error` after FAILURE, RETRY and REVOKED, else what the task reported with its state. */
  readonly result: unknown
  /** Where the error happened, as the worker wrote it. */
  readonly traceback: string | null
  /** Result tuples of the tasks sent while it ran. */
  readonly children: readonly unknown[]
  /** When it ended; `null` before. */
  readonly dateDone: Date | null
  readonly groupId: string | null
  readonly parentId: string | null
  /** Known where workers run with `resultExtended`, like the five after it. */
  readonly name: string | null
  readonly args: unknown
  readonly kwargs: unknown
  readonly worker: string | null
  readonly retries: number | null
  readonly queue: string | null
}

/** What is known of a task that nothing is stored for. */
export function pendingMeta(taskId: string): TaskMeta {
  return { ...NOTHING, taskId, state: 'PENDING' }
}

/** A meta of a task that ended in this process. */
export function localMeta(
  taskId: string,
  state: TaskState,
  result: unknown,
  rest: Partial<Pick<TaskMeta, 'name' | 'traceback' | 'dateDone' | 'children'>> = {},
): TaskMeta {
  return { ...NOTHING, ...rest, taskId, state, result }
}

/** Reads a record: camelCase names, a `Date`, and the error rebuilt, with the id of its task as `taskId`. */
export function metaFromRecord(taskId: string, record: ResultRecord, errors: ErrorRegistry | undefined): TaskMeta {
  return {
    taskId,
    state: record.status,
    result: resultOf(taskId, record, errors),
    traceback: record.traceback,
    children: record.children ?? [],
    dateDone: dateOf(record.date_done),
    groupId: record.group_id ?? null,
    parentId: record.parent_id ?? null,
    name: textOf(record['name']),
    args: record['args'] ?? null,
    kwargs: record['kwargs'] ?? null,
    worker: textOf(record['worker']),
    retries: typeof record['retries'] === 'number' ? record['retries'] : null,
    queue: textOf(record['queue']),
  }
}

/** Adds the worker's traceback to the stack of the error that a task left, if it left one. */
export function withRemoteStack(meta: TaskMeta): TaskMeta {
  const { result, traceback } = meta
  if (traceback === null || !(result instanceof Error) || !Object.isExtensible(result)) return meta
  const stack = `${result.stack ?? String(result)}\n\nin the worker: ${traceback}`
  Object.defineProperty(result, 'stack', { value: stack, configurable: true, writable: true })
  return meta
}

/** The error of a failed task as it can be thrown here. */
export function remoteError(
  taskId: string,
  form: unknown,
  traceback: string | null,
  errors: ErrorRegistry | undefined,
): Error {
  let error: Error
  try {
    error = errorFromForm(decodeExceptionForm(form), errors, traceback)
  } catch (unreadable) {
    if (!(unreadable instanceof InvalidResultRecordError)) throw unreadable
    // The task failed all the same, so this is what its caller gets, and its state can still be read.
    error = unreadable
  }
  // Whoever logs it wants to know which task it was. A class with a `taskId` of its own keeps that.
  if (!('taskId' in error) && Object.isExtensible(error)) {
    Object.defineProperty(error, 'taskId', { value: taskId, enumerable: true, configurable: true })
  }
  return error
}

function resultOf(taskId: string, record: ResultRecord, errors: ErrorRegistry | undefined): unknown {
  const { status, result, traceback } = record
  // A task that was retried without an error has none.
  if (!EXCEPTION_STATES.has(status) || (status === 'RETRY' && result === null)) return result
  return remoteError(taskId, result, traceback, errors)
}

function dateOf(text: string | null): Date | null {
  const ms = text === null ? undefined : parseIsoTime(text)
  return ms === undefined ? null : new Date(ms)
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

const NOTHING = {
  result: null,
  traceback: null,
  children: [],
  dateDone: null,
  groupId: null,
  parentId: null,
  name: null,
  args: null,
  kwargs: null,
  worker: null,
  retries: null,
  queue: null,
} as const
