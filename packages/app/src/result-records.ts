import type { ResultWrite } from '@celery/backend'
import {
  EXCEPTION_STATES,
  type ExceptionForm,
  isName,
  READY_STATES,
  type ResultRecord,
  type ResultTuple,
  type SignatureData,
  type TaskBody,
} from '@celery/protocol'
import { namingResult } from './encode-error.ts'
import type { RecordCodec } from './record-codec.ts'
import type { Settings } from './settings.ts'
import type { RegisteredTask } from './task.ts'
import type { TraceInput } from './trace-types.ts'

export interface ResultRecordsOptions {
  readonly settings: Readonly<Settings>
  readonly codec: RecordCodec
  /** Whether results are kept at all. */
  readonly keepsResults: () => boolean
  readonly task: (name: string) => RegisteredTask | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly decode: (input: TraceInput) => TaskBody
}

/** Builds what the result store is to keep of a task. */
export class ResultRecords {
  readonly #options: ResultRecordsOptions
  /** The time that was written last, in milliseconds since 1970, and how. */
  #doneAt: number | undefined
  #doneText = ''

  constructor(options: ResultRecordsOptions) {
    this.#options = options
  }

  /** The record, or `undefined` where nothing is to be kept of it. */
  write(
    input: TraceInput,
    task: RegisteredTask | undefined,
    record: Pick<ResultRecord, 'status' | 'result' | 'traceback'>,
    children: readonly ResultTuple[] = noChildren,
  ): ResultWrite | undefined {
    const { headers } = input
    const { id: taskId } = headers
    if (!this.#isKept(headers.ignore_result, task, record.status)) return undefined
    const { codec, settings } = this.#options
    const { result, status, traceback } = record
    // Not spread together: one is made for every task.
    const data: { -readonly [Field in keyof ResultRecord]: ResultRecord[Field] } = {
      status,
      result,
      traceback,
      children,
      date_done: READY_STATES.has(status) ? this.#dateDone() : null,
      task_id: taskId,
    }
    if (headers.group !== null) data.group_id = headers.group
    if (headers.parent_id !== null) data.parent_id = headers.parent_id
    if (settings.resultExtended) Object.assign(data, this.#extended(input))
    const encoded = namingResult(headers.task, () => codec.encode(data))
    const { ttlMs } = timeToLive(settings.resultExpires)
    return ttlMs === undefined
      ? { taskId, state: status, record: encoded }
      : { taskId, state: status, record: encoded, ttlMs }
  }

  /**
   * The records of the steps of a chain that come after one that did not succeed, with its error and state: as in Celery 5,
   * where in 4.3 they stayed PENDING for whoever waits for one of them. A step without an id has nobody who could wait.
   */
  unreached(steps: readonly SignatureData[], record: UnsuccessfulRecord): readonly ResultWrite[] {
    const writes: ResultWrite[] = []
    const { codec, settings, task } = this.#options
    let about = { ...record, children: noChildren, date_done: this.#dateDone() }
    // In the order in which they would have run: the list is reversed.
    for (const step of steps.toReversed()) {
      const { group_id, ignore_result, parent_id, task_id } = step.options
      if (task_id === undefined || !this.#isKept(ignore_result, task(step.task), record.status)) continue
      const data = {
        ...about,
        task_id,
        ...(group_id == null ? {} : { group_id }),
        ...(parent_id == null ? {} : { parent_id }),
        ...(settings.resultExtended ? this.#extendedStep(step) : {}),
      }
      let encoded = codec.encode(data)
      if (writes.length === 0 && encoded.length * steps.length > mostRepeated) {
        about = { ...about, ...inShort(record) }
        encoded = codec.encode({ ...data, ...about })
      }
      writes.push({ taskId: task_id, state: record.status, record: encoded, ...timeToLive(settings.resultExpires) })
    }
    return writes
  }

  /** The record of a task of which nothing is known but its id. */
  refused(taskId: string, error: unknown): ResultWrite {
    const record = {
      status: 'FAILURE',
      result: this.#options.codec.exceptionForm(error),
      traceback: null,
      children: [],
    }
    return {
      taskId,
      state: 'FAILURE',
      record: this.#options.codec.encode({ ...record, task_id: taskId, date_done: this.#dateDone() }),
      ...timeToLive(this.#options.settings.resultExpires),
    }
  }

  /**
   * The record of a state that a task reports of itself, or of another one.
   * @throws TypeError for what is no state, or an error state without an error; EncodeError.
   */
  reported(input: TraceInput, taskId: string, state: string, meta: unknown): ResultWrite {
    if (!isName(state) || state !== state.toUpperCase()) {
      throw new TypeError(`a state is a name in upper case, such as "PROGRESS", and not ${JSON.stringify(state)}`)
    }
    const isError = EXCEPTION_STATES.has(state)
    // Whoever reads the result of such a state, in any language, expects an exception.
    if (isError && !(meta instanceof Error)) {
      throw new TypeError(`the state ${state} comes with an error: updateState('${state}', new Error(…))`)
    }
    const { headers } = input
    const isOwn = taskId === headers.id
    return {
      taskId,
      state,
      record: this.#options.codec.encode({
        status: state,
        result: isError ? this.#options.codec.exceptionForm(meta) : meta,
        traceback: null,
        children: [],
        date_done: READY_STATES.has(state) ? this.#dateDone() : null,
        task_id: taskId,
        ...(isOwn && headers.group !== null ? { group_id: headers.group } : {}),
        ...(isOwn && headers.parent_id !== null ? { parent_id: headers.parent_id } : {}),
        ...(isOwn && this.#options.settings.resultExtended ? this.#extended(input) : {}),
      }),
      ...timeToLive(this.#options.settings.resultExpires),
    }
  }

  #isKept(ignoreResult: boolean | null | undefined, task: RegisteredTask | undefined, status: string): boolean {
    const { keepsResults, settings } = this.#options
    if (!keepsResults()) return false
    if (!(ignoreResult ?? task?.options.ignoreResult ?? settings.taskIgnoreResult)) return true
    return status === 'FAILURE' && (task?.options.storeErrorsEvenIfIgnored ?? settings.taskStoreErrorsEvenIfIgnored)
  }

  /** ISO 8601 with microseconds, as Python writes it. Kept, as many tasks end in one millisecond. */
  #dateDone(): string {
    const now = this.#options.now()
    if (now !== this.#doneAt) {
      this.#doneAt = now
      this.#doneText = `${new Date(now).toISOString().slice(0, 23)}000+00:00`
    }
    return this.#doneText
  }

  #extended(input: TraceInput): Partial<ResultRecord> {
    const { headers, hostname, queue } = input
    const { args, kwargs } = this.#storable(() => this.#options.decode(input))
    return { name: headers.task, args, kwargs, worker: hostname, retries: headers.retries, queue }
  }

  /** No worker and no queue has had it. */
  #extendedStep(step: SignatureData): Partial<ResultRecord> {
    const { args, kwargs } = this.#storable(() => step)
    return { name: step.task, args, kwargs, worker: null, retries: 0, queue: null }
  }

  /** The record of arguments that cannot be read, or not be stored, says everything else. */
  #storable(read: () => CallArguments): CallArguments {
    try {
      const { args, kwargs } = read()
      // The message's serializer may have made what that of results cannot hold.
      this.#options.codec.assertHolds([args, kwargs])
      return { args, kwargs }
    } catch {
      return { args: [], kwargs: {} }
    }
  }
}

type CallArguments = Pick<TaskBody, 'args' | 'kwargs'>

const noChildren: readonly ResultTuple[] = []

/** What is stored of a task that ended: its own record, and those of the steps after it. */
export function recordsOf(ended: {
  readonly unreached?: readonly ResultWrite[] | undefined
  readonly write?: ResultWrite | undefined
}): readonly ResultWrite[] {
  const { unreached = [], write } = ended
  return write === undefined ? unreached : [write, ...unreached]
}

/** Bytes or characters of all records of later steps together, above which they tell the error in short. */
const mostRepeated = 2 ** 20
/** Characters. */
const longestShortMessage = 1_000

export type UnsuccessfulRecord = Pick<ResultRecord, 'result' | 'status' | 'traceback'>

/** An error that is told many times: its class, and the beginning of what it says. */
function inShort({ status, result }: UnsuccessfulRecord): UnsuccessfulRecord {
  const { exc_message, exc_module, exc_type } = result as ExceptionForm
  const text = exc_message.map(String).join(', ')
  const message = text.length > longestShortMessage ? `${text.slice(0, longestShortMessage)}…` : text
  return { status, result: { exc_type, exc_message: [message], exc_module }, traceback: null }
}

/** Of the setting in seconds; 0 and `null` keep a result for ever. */
export function timeToLive(seconds: number | null): { readonly ttlMs?: number } {
  return seconds === null || seconds === 0 ? {} : { ttlMs: seconds * 1_000 }
}
