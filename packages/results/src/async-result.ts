import { type AbortableOptions, abortable } from '@celery/promises'
import {
  decodeResultTuple,
  PROPAGATE_STATES,
  READY_STATES,
  type ResultReference,
  type ResultTuple,
  type TaskState,
} from '@celery/protocol'
import { AbortUnavailableError, RevokeUnavailableError, type SentCall } from './errors.ts'
import { assertGetOptions, type GetOptions } from './get-options.ts'
import type { ResultReader } from './result-reader.ts'
import type { RevokeOptions } from './result-source.ts'
import type { TaskMeta } from './task-meta.ts'
import { waitForResult } from './wait-for-result.ts'

/**
 * A handle on one task that was sent: wait for its result, or ask how far it is.
 *
 * It has no `then`, so that `await add.delay(2, 2)` waits for the sending only; `get()` waits for the task.
 */
export class AsyncResult<out T = unknown> {
  /** The task's id. */
  readonly id: string
  /** The step before it in a chain. */
  readonly parent: AsyncResult | undefined
  /** Whether the sender asked for no result: then `get()` resolves to `null` at once, and the state stays `PENDING`. */
  readonly ignored: boolean
  readonly #reader: ResultReader
  readonly #sent: SentCall | undefined
  /** On the monotonic clock; `undefined` where nothing is known of its sending. */
  readonly #sentAtMs: number | undefined
  #cached: TaskMeta | undefined
  /** Nothing follows it, so that the store need not be asked again. */
  #final: TaskMeta | undefined

  constructor(id: string, reader: ResultReader, options: AsyncResultOptions = {}) {
    this.id = id
    this.parent = options.parent
    this.ignored = options.ignored ?? false
    this.#sent = options.sent
    this.#reader = reader
    if (this.#sent !== undefined) this.#sentAtMs = reader.clock.monotonic()
    this.#cached = this.#final = options.known
  }

  /** The same, but what is waited for may be the error of a task that failed. */
  get(options: GetOptions & { readonly propagate: false }): Promise<T | Error>
  /**
   * Waits until the task has ended and resolves to its value.
   *
   * In a chain it also ends when an earlier step fails, with that step's error, as this task will then never run. A task whose
   * results are ignored without this handle knowing it, or whose id was never sent, stays `PENDING` for ever: give a
   * `timeout` where that can be.
   *
   * @throws the task's error, rebuilt, if it failed or was revoked and `propagate` is not `false`
   * @throws ResultTimeoutError after `timeout` seconds; the task goes on
   */
  get(options?: GetOptions & { readonly propagate?: true | undefined }): Promise<T>
  async get(options: GetOptions = {}): Promise<T | Error> {
    assertGetOptions(options)
    if (this.ignored) return null as T
    if (options.disableSyncSubtasks !== false) this.assertMayBlock()
    const meta = this.#final ?? (await this.#wait(options))
    if (PROPAGATE_STATES.has(meta.state) && options.propagate !== false) throw meta.result
    return meta.result as T | Error
  }

  /** The last meta that was read, without asking the store. */
  get cached(): TaskMeta | undefined {
    return this.#cached
  }

  /** All that the store knows of the task, in one read; the last read if that was final. */
  async meta(options?: AbortableOptions): Promise<TaskMeta> {
    return this.#final ?? this.keep(await this.#read(options))
  }

  /** `PENDING` for a task that the store does not know. */
  async state(options?: AbortableOptions): Promise<TaskState> {
    return (await this.meta(options)).state
  }

  /** The value, the `Error` of a task that failed, or what a running task reported; never rejects with the task's error. */
  async result(options?: AbortableOptions): Promise<unknown> {
    return (await this.meta(options)).result
  }

  /** Celery's other name of {@link result}, used for what a running task reports. */
  info(options?: AbortableOptions): Promise<unknown> {
    return this.result(options)
  }

  /** Where the task's error happened, as its worker wrote it; `null` if there is none. */
  async traceback(options?: AbortableOptions): Promise<string | null> {
    return (await this.meta(options)).traceback
  }

  /** Whether the task has ended, in whatever way. */
  async ready(options?: AbortableOptions): Promise<boolean> {
    return READY_STATES.has(await this.state(options))
  }

  async successful(options?: AbortableOptions): Promise<boolean> {
    return (await this.state(options)) === 'SUCCESS'
  }

  async failed(options?: AbortableOptions): Promise<boolean> {
    return (await this.state(options)) === 'FAILURE'
  }

  /** The tasks that it sent while it ran, its callbacks and the next step of its chain; the members of a group one by one. */
  async children(options?: AbortableOptions): Promise<AsyncResult[]> {
    const { children } = await this.meta(options)
    const tasks = children.flatMap((tuple) => tasksOf(decodeResultTuple(tuple)))
    return tasks.map((task) => new AsyncResult(task.id, this.#reader))
  }

  /** Deletes the result, and those of the steps before it. */
  async forget(): Promise<void> {
    const line = [...this.#ancestors(), this]
    for (const result of line) result.#cached = result.#final = undefined
    await this.#reader.forget(line.map((result) => result.id))
  }

  /**
   * Asks all workers not to run the task, or to end it where it runs.
   *
   * @throws RevokeUnavailableError if the application has no remote control
   */
  async revoke(options?: RevokeOptions): Promise<void> {
    const { revoker } = this.#reader.source
    if (revoker === undefined) throw new RevokeUnavailableError(this.id)
    await revoker.revoke([this.id], options)
  }

  /**
   * Asks the task to end by itself: it finds out by `context.isAborted()`, so that this is for tasks that ask. Its state is
   * ABORTED until it has ended. One that has ended stays as it is.
   *
   * @throws AbortUnavailableError if nothing can be stored from here
   */
  async abort(): Promise<void> {
    const { source } = this.#reader
    if (source.abort === undefined) throw new AbortUnavailableError(this.id)
    await source.abort(this.id)
  }

  /** The handle as plain data, parents included; `resultFromTuple` reads it. */
  asTuple(): ResultTuple {
    return [[this.id, this.parent?.asTuple() ?? null], null]
  }

  /** A task may return the handle of another one: it travels as its tuple. */
  toJSON(): ResultTuple {
    return this.asTuple()
  }

  toString(): string {
    return this.id
  }

  /** @internal */
  protected assertMayBlock(): void {
    this.#reader.source.assertMayBlock?.(this.id)
  }

  /** @internal */
  protected keep(meta: TaskMeta): TaskMeta {
    this.#cached = meta
    if (READY_STATES.has(meta.state)) this.#final = meta
    return meta
  }

  /** @internal */
  protected get reader(): ResultReader {
    return this.#reader
  }

  async #wait(options: GetOptions): Promise<TaskMeta> {
    const ancestors = options.followParents === false ? [] : this.#ancestors()
    const meta = await waitForResult(
      this.#reader,
      { taskId: this.id, sent: this.#sent, isFresh: this.#isFresh },
      ancestors.map((ancestor) => ancestor.id),
      options,
    )
    // An ancestor's failure is not kept as our own: the worker may still store this task's.
    return meta.taskId === this.id ? this.keep(meta) : meta
  }

  /** Whether it was sent just now, so that it can hardly have ended. */
  get #isFresh(): boolean {
    return this.#sentAtMs !== undefined && this.#reader.clock.monotonic() - this.#sentAtMs < freshMs
  }

  async #read(options: AbortableOptions | undefined): Promise<TaskMeta> {
    const [meta] = await abortable(this.#reader.read([this.id]), options?.signal)
    return meta as TaskMeta
  }

  /** The steps before this one, the first one first. */
  #ancestors(): AsyncResult[] {
    const line: AsyncResult[] = []
    for (let node = this.parent; node !== undefined; node = node.parent) line.push(node)
    return line.reverse()
  }
}

const freshMs = 5

function tasksOf(reference: ResultReference): readonly ResultReference[] {
  return reference.children === null ? [reference] : reference.children.flatMap(tasksOf)
}

export interface AsyncResultOptions {
  readonly parent?: AsyncResult | undefined
  /** See {@link AsyncResult.ignored}. @defaultValue `false` */
  readonly ignored?: boolean | undefined
  /** What is known of its sending, for errors. */
  readonly sent?: SentCall | undefined
  /** What is known for good already: the store is never asked. */
  readonly known?: TaskMeta | undefined
}
