/**
 * Runs one received task and works out everything that follows from it:
 *
 * 1. decode the body (nobody did before: only the process that runs a task reads its arguments);
 * 2. refuse what cannot be carried out, before the task runs;
 * 3. run the function with its context;
 * 4. build the record for the result store and the messages that follow, all encoded and with their ids fixed.
 *
 * It neither stores nor sends: the owner of the delivery settles all of it in one step.
 */
import type { ResultWrite } from '@celery/backend'
import { assertRunnable, callbackCalls, errbackCalls, type FinishedTask, nextChainStep } from '@celery/canvas'
import { CeleryError } from '@celery/promises'
import {
  decodeTaskBody,
  type ErrorRegistry,
  encodeResultRecord,
  exceptionForm,
  pythonRepr,
  type ResultRecord,
  type TaskBody,
  type TaskEmbed,
  tracebackText,
} from '@celery/protocol'
import { type CompressionRegistry, type SerializerRegistry, stringifyJson } from '@celery/serialization'
import type { Publication } from '@celery/transport'
import { NotRegisteredError } from './app-errors.ts'
import { bindArguments } from './arguments.ts'
import type { Outgoing } from './outgoing.ts'
import type { Settings } from './settings.ts'
import type { RegisteredTask } from './task.ts'
import { RunningTask, runInTask, taskRequest } from './task-context.ts'
import type { SoftLimit, TraceInput, TraceOutcome } from './trace-types.ts'

export interface TracerOptions {
  readonly settings: Readonly<Settings>
  readonly task: (name: string) => RegisteredTask | undefined
  readonly closestTask: (name: string) => string | undefined
  readonly outgoing: Outgoing
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
  readonly errors: ErrorRegistry
  /** Whether results are kept at all. */
  readonly keepsResults: () => boolean
}

export class Tracer {
  readonly #options: TracerOptions
  #accept: ReadonlySet<string> | undefined

  constructor(options: TracerOptions) {
    this.#options = options
  }

  /**
   * Runs a task. Never throws or rejects: whatever goes wrong is the outcome. A task that does not wait for anything
   * has its outcome at once, without the cost of a promise.
   */
  run(input: TraceInput, limits: SoftLimit | undefined): TraceOutcome | Promise<TraceOutcome> {
    try {
      return this.#run(input, limits)
    } catch (error) {
      return this.#unforeseen(input, error)
    }
  }

  /** The outcome of a task that did not end by itself: its process died, it ran too long, nobody knows it. Never throws. */
  failed(input: TraceInput, error: unknown): TraceOutcome {
    try {
      return this.#failed(input, error)
    } catch (unforeseen) {
      return this.#unforeseen(input, unforeseen)
    }
  }

  /** The outcome of a task that is not to run. Never throws. */
  revoked(input: TraceInput, error: Error): TraceOutcome {
    try {
      const result = exceptionForm(error, this.#options.errors)
      const task = this.#options.task(input.headers.task)
      const write = this.#write(input, task, { status: 'REVOKED', result, traceback: null })
      return { state: 'IGNORED', runtime: 0, text: describe(error), ...(write === undefined ? {} : { write }) }
    } catch (unforeseen) {
      return this.#unforeseen(input, unforeseen)
    }
  }

  /** The record of a task whose own record the store refuses. */
  refusedRecord(taskId: string, error: unknown): ResultWrite {
    const { resultExpires } = this.#options.settings
    const record = {
      status: 'FAILURE',
      result: exceptionForm(error, this.#options.errors),
      traceback: null,
      children: [],
    }
    return {
      taskId,
      state: 'FAILURE',
      record: encodeResultRecord({ ...record, task_id: taskId, date_done: dateDone() }),
      ...timeToLive(resultExpires),
    }
  }

  /** The record that says a task has started. */
  startedRecord(input: TraceInput, pid: number): ResultWrite | undefined {
    return this.#write(input, this.#options.task(input.headers.task), {
      status: 'STARTED',
      result: { pid, hostname: input.hostname },
      traceback: null,
    })
  }

  #run(input: TraceInput, limits: SoftLimit | undefined): TraceOutcome | Promise<TraceOutcome> {
    const task = this.#options.task(input.headers.task)
    if (task === undefined) {
      const error = new NotRegisteredError(input.headers.task, this.#options.closestTask(input.headers.task))
      return { ...this.failed(input, error), dead: error.message }
    }
    let body: TaskBody
    try {
      body = this.#decode(input)
      assertRunnable(body.embed)
    } catch (error) {
      return { ...this.failed(input, error), dead: describe(error) }
    }
    const started = performance.now()
    try {
      const args = bindArguments(task.name, task.parameters, body.args, body.kwargs)
      const context = new RunningTask(input, body, limits)
      const value = runInTask(context, () => task.run(context, args))
      if (isThenable(value)) return this.#awaited(input, task, body, value, started)
      return this.#succeeded(input, task, body.embed, value, secondsSince(started))
    } catch (error) {
      return this.#threw(input, task, body, error, secondsSince(started))
    }
  }

  #failed(input: TraceInput, error: unknown): TraceOutcome {
    let embed: TaskEmbed | undefined
    try {
      embed = this.#decode(input).embed
      assertRunnable(embed)
    } catch {
      // What cannot be read, or not be carried out, calls nobody back. The failure itself is stored all the same.
      embed = undefined
    }
    return this.#failure(input, this.#options.task(input.headers.task), embed, error, 0)
  }

  async #awaited(
    input: TraceInput,
    task: RegisteredTask,
    body: TaskBody,
    value: PromiseLike<unknown>,
    started: number,
  ): Promise<TraceOutcome> {
    try {
      return this.#succeeded(input, task, body.embed, await value, secondsSince(started))
    } catch (error) {
      return this.#threw(input, task, body, error, secondsSince(started))
    }
  }

  #decode({ headers, body, contentType, contentEncoding }: TraceInput): TaskBody {
    const { serializers, compressions, settings } = this.#options
    this.#accept ??= serializers.acceptList(settings.acceptContent)
    const accept = this.#accept
    const { compression } = headers
    const plain = typeof compression === 'string' ? compressions.decompress(body, compression) : body
    return decodeTaskBody(serializers.decode(plain, contentType, contentEncoding, { accept }))
  }

  #succeeded(input: TraceInput, task: RegisteredTask, embed: TaskEmbed, value: unknown, runtime: number): TraceOutcome {
    const write = this.#write(input, task, { status: 'SUCCESS', result: value, traceback: null })
    const text = pythonRepr(value)
    const { callbacks, chain } = embed
    if (callbacks === null && chain === null) {
      return write === undefined ? { state: 'SUCCESS', runtime, text } : { state: 'SUCCESS', runtime, text, write }
    }
    const finished = finishedTask(input)
    const next = nextChainStep(chain, value, finished)
    const calls = [...callbackCalls(callbacks, value, finished), ...(next === undefined ? [] : [next])]
    const publish = calls.map((call) => this.#options.outgoing.publication(call, taskRequest(input, undefined)))
    return { state: 'SUCCESS', runtime, text, publish, ...(write === undefined ? {} : { write }) }
  }

  #threw(input: TraceInput, task: RegisteredTask, body: TaskBody, error: unknown, runtime: number): TraceOutcome {
    try {
      const wish = wishOf(error)
      if (wish === undefined) return this.#failure(input, task, body.embed, error, runtime)
      return { ...wish, runtime, text: describe(error) }
    } catch (unforeseen) {
      return this.#unforeseen(input, unforeseen)
    }
  }

  /**
   * The outcome where even the failure cannot be told as it should, after an error whose reading throws, for example. What
   * is left out is the error itself and who is called back: nothing of the task's may be read again.
   */
  #unforeseen(input: TraceInput, error: unknown): TraceOutcome {
    const text = `the outcome of the task cannot be told: ${describe(error)}`
    const outcome = { state: 'FAILURE', runtime: 0, text } as const
    if (!this.#options.keepsResults() || input.headers.ignore_result === true) return outcome
    return { ...outcome, write: this.refusedRecord(input.headers.id, new Error(text)) }
  }

  #failure(
    input: TraceInput,
    task: RegisteredTask | undefined,
    embed: TaskEmbed | undefined,
    error: unknown,
    runtime: number,
  ): TraceOutcome {
    const { outgoing, errors } = this.#options
    const form = exceptionForm(error, errors)
    const traceback = tracebackText(error)
    const write = this.#write(input, task, { status: 'FAILURE', result: form, traceback })
    let text = `${form.exc_type}(${form.exc_message.map((arg) => pythonRepr(arg)).join(', ')})`
    let publish: readonly Publication[] | undefined
    if (embed?.errbacks != null && embed.errbacks.length > 0) {
      const parent = taskRequest(input, undefined)
      try {
        publish = errbackCalls(embed.errbacks, finishedTask(input)).map((call) => outgoing.publication(call, parent))
      } catch (unsendable) {
        // It must not hide why the task failed: that is stored, and this is said beside it.
        text += `; its errbacks cannot be sent: ${describe(unsendable)}`
      }
    }
    return {
      state: 'FAILURE',
      runtime,
      text,
      traceback,
      ...(write === undefined ? {} : { write }),
      ...(publish === undefined ? {} : { publish }),
    }
  }

  #write(
    input: TraceInput,
    task: RegisteredTask | undefined,
    record: Pick<ResultRecord, 'status' | 'result' | 'traceback'>,
  ): ResultWrite | undefined {
    const { settings, keepsResults } = this.#options
    if (!keepsResults()) return undefined
    const { headers } = input
    if (headers.ignore_result ?? task?.options.ignoreResult ?? settings.taskIgnoreResult) {
      const keepErrors = task?.options.storeErrorsEvenIfIgnored ?? settings.taskStoreErrorsEvenIfIgnored
      if (record.status !== 'FAILURE' || !keepErrors) return undefined
    }
    const final = record.status === 'SUCCESS' || record.status === 'FAILURE' || record.status === 'REVOKED'
    return {
      taskId: headers.id,
      state: record.status,
      record: encodeResultRecord({
        ...record,
        children: [],
        date_done: final ? dateDone() : null,
        task_id: headers.id,
        ...(headers.group === null ? {} : { group_id: headers.group }),
        ...(headers.parent_id === null ? {} : { parent_id: headers.parent_id }),
        ...(settings.resultExtended ? this.#extended(input) : {}),
      }),
      ...timeToLive(settings.resultExpires),
    }
  }

  #extended(input: TraceInput): Partial<ResultRecord> {
    const { headers, hostname, queue } = input
    let body: Pick<TaskBody, 'args' | 'kwargs'> = { args: [], kwargs: {} }
    try {
      const decoded = this.#decode(input)
      // Another serializer may have made what JSON cannot hold.
      stringifyJson([decoded.args, decoded.kwargs])
      body = decoded
    } catch {
      // The record of a body that cannot be read, or not be stored, says everything else.
    }
    const { args, kwargs } = body
    return { name: headers.task, args, kwargs, worker: hostname, retries: headers.retries, queue }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1_000
}

/** In a few words, whatever it is: a getter of the error's own may throw. */
function describe(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error)
  } catch {
    return pythonRepr(error)
  }
}

/** What a task asks for by throwing. */
function wishOf(error: unknown): Pick<TraceOutcome, 'state' | 'requeue'> | undefined {
  try {
    if (CeleryError.is(error, 'ERR_CELERY_IGNORE')) return { state: 'IGNORED' }
    if (!CeleryError.is(error, 'ERR_CELERY_REJECT')) return undefined
    return { state: 'REJECTED', requeue: (error as { requeue?: boolean }).requeue === true }
  } catch {
    // A proxy, or a getter that throws: it fails like any other error.
    return undefined
  }
}

function finishedTask({ headers, replyTo }: TraceInput): FinishedTask {
  return {
    taskId: headers.id,
    rootId: headers.root_id,
    ...(replyTo === undefined || replyTo === '' ? {} : { replyTo }),
  }
}

/** Of the setting in seconds; 0 and `null` keep a result for ever. */
function timeToLive(seconds: number | null): { readonly ttlMs?: number } {
  return seconds === null || seconds === 0 ? {} : { ttlMs: seconds * 1_000 }
}

/** ISO 8601 with microseconds, as Python writes it. */
function dateDone(): string {
  return `${new Date().toISOString().slice(0, 23)}000+00:00`
}
