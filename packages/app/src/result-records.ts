import type { ResultWrite } from '@celery/backend'
import {
  EXCEPTION_STATES,
  isName,
  READY_STATES,
  type ResultRecord,
  type ResultTuple,
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
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly decode: (input: TraceInput) => TaskBody
}

/** Builds what the result store is to keep of a task. */
export class ResultRecords {
  readonly #options: ResultRecordsOptions

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
    const { settings, keepsResults } = this.#options
    if (!keepsResults()) return undefined
    const { headers } = input
    if (headers.ignore_result ?? task?.options.ignoreResult ?? settings.taskIgnoreResult) {
      const keepErrors = task?.options.storeErrorsEvenIfIgnored ?? settings.taskStoreErrorsEvenIfIgnored
      if (record.status !== 'FAILURE' || !keepErrors) return undefined
    }
    const data = {
      ...record,
      children,
      date_done: READY_STATES.has(record.status) ? this.#dateDone() : null,
      task_id: headers.id,
      ...(headers.group === null ? {} : { group_id: headers.group }),
      ...(headers.parent_id === null ? {} : { parent_id: headers.parent_id }),
      ...(settings.resultExtended ? this.#extended(input) : {}),
    }
    return {
      taskId: headers.id,
      state: record.status,
      record: namingResult(headers.task, () => this.#options.codec.encode(data)),
      ...timeToLive(settings.resultExpires),
    }
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

  /** ISO 8601 with microseconds, as Python writes it. */
  #dateDone(): string {
    return `${new Date(this.#options.now()).toISOString().slice(0, 23)}000+00:00`
  }

  #extended(input: TraceInput): Partial<ResultRecord> {
    const { headers, hostname, queue } = input
    let body: Pick<TaskBody, 'args' | 'kwargs'> = { args: [], kwargs: {} }
    try {
      const decoded = this.#options.decode(input)
      // The message's serializer may have made what that of results cannot hold.
      this.#options.codec.assertHolds([decoded.args, decoded.kwargs])
      body = decoded
    } catch {
      // The record of a body that cannot be read, or not be stored, says everything else.
    }
    const { args, kwargs } = body
    return { name: headers.task, args, kwargs, worker: hostname, retries: headers.retries, queue }
  }
}

const noChildren: readonly ResultTuple[] = []

/** Of the setting in seconds; 0 and `null` keep a result for ever. */
export function timeToLive(seconds: number | null): { readonly ttlMs?: number } {
  return seconds === null || seconds === 0 ? {} : { ttlMs: seconds * 1_000 }
}
