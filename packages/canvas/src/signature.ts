import { inspect } from 'node:util'
import { decodeSignature, type SignatureData, type SignatureOptions } from '@celery/protocol'
import type { AsyncResult, EagerResult, GetOptions } from '@celery/results'
import type { AnyArgs, GivenArgs, MissingArgs } from './arguments.ts'
import { type CallOptions, wireOptions } from './call-options.ts'
import { applyTo, chainData, linkTo, stepsOf } from './chain-data.ts'
import { dataOf } from './data-of.ts'
import type { ApplyOptions, Dispatcher } from './dispatcher.ts'
import { DetachedSignatureError } from './errors.ts'
import { freeze, planCall } from './plan-call.ts'
import { mergeOptions } from './signature-data.ts'
import { signatureText } from './signature-text.ts'

/**
 * A call of a task, or of a chain of tasks, that is not made yet: it can be completed, given options, passed to another
 * task, put behind one, and sent any number of times.
 *
 * `Missing` are the arguments that go in front of those given, `Result` is what it comes to, and `Immutable` says that
 * it takes no result of the step before it. The editor infers all three.
 *
 * `set`, `link`, `linkError`, `onError` and `freeze` change the signature, as in Celery; `clone()` it first to keep the original.
 * It has no `then`, so that it can be returned from an async function.
 */
export class Signature<in Missing extends AnyArgs, out Result, out Immutable extends boolean = boolean> {
  /** Where it is sent from; `undefined` for one that can only be passed on. */
  readonly dispatcher: Dispatcher | undefined
  #data: SignatureData

  static {
    // Printed with all that is in it, the application that it is sent from would fill the screen.
    Object.defineProperty(Signature.prototype, inspect.custom, { value: Signature.prototype.toString })
  }

  constructor(data: SignatureData, dispatcher?: Dispatcher) {
    this.#data = data
    this.dispatcher = dispatcher
  }

  /**
   * Rebuilds a signature from `toData()`, or from what Python wrote.
   *
   * @throws InvalidTaskMessageError
   */
  static fromData<Result = unknown>(data: unknown, dispatcher?: Dispatcher): Signature<AnyArgs, Result> {
    return new Signature<AnyArgs, Result>(decodeSignature(data), dispatcher)
  }

  /** Name of the task; `celery.chain` for a chain. */
  get task(): string {
    return this.#data.task
  }

  get args(): readonly unknown[] {
    return this.#data.args
  }

  get kwargs(): Readonly<Record<string, unknown>> {
    return this.#data.kwargs
  }

  /** In wire spelling. */
  get options(): SignatureOptions {
    return this.#data.options
  }

  get immutable(): Immutable {
    return this.#data.immutable as Immutable
  }

  /** `null` for a task, `chain` for a chain. */
  get subtaskType(): string | null {
    return this.#data.subtask_type
  }

  /** The task id, once it is fixed. A chain has the id of its last step. */
  get id(): string | undefined {
    return stepsOf(this.#data).at(-1)?.options.task_id
  }

  /** Sends it with the arguments that are missing. Resolves when the broker has it. */
  delay(...missing: Missing): Promise<AsyncResult<Result>> {
    return this.#send({ args: missing })
  }

  /**
   * As {@link delay}, with options, which win over those set before. With `kwargs` the arguments are not checked by the compiler.
   *
   * In a chain arguments, `kwargs` and options are the first step's, but for `taskId` and `link` (the last step's) and `linkError` (all steps').
   *
   * @throws DetachedSignatureError if it belongs to no application
   * @throws CompositeSignatureError if it holds a composition that is not supported
   */
  applyAsync(this: Signature<[], Result>): Promise<AsyncResult<Result>>
  applyAsync(missing: Missing, options?: CallOptions): Promise<AsyncResult<Result>>
  applyAsync(args: AnyArgs, options: KwargsOptions): Promise<AsyncResult<Result>>
  async applyAsync(args?: AnyArgs, options?: CallOptions & Partial<KwargsOptions>): Promise<AsyncResult<Result>> {
    const { kwargs, ...rest } = options ?? {}
    return this.#send({
      ...(args !== undefined && { args: this.#list(args) }),
      ...(kwargs !== undefined && { kwargs }),
      ...(options !== undefined && { options: wireOptions(rest, this.task) }),
    })
  }

  /**
   * Runs it, and what follows from it, here and now; nothing is sent. Every task of it must be declared here. Times are passed
   * over, retries come at once.
   *
   * @throws the task's error with `throw`, DetachedSignatureError
   */
  apply(this: Signature<[], Result>): Promise<EagerResult<Result>>
  apply(missing: Missing, options?: CallOptions & ApplyOptions): Promise<EagerResult<Result>>
  apply(args: AnyArgs, options: KwargsOptions & ApplyOptions): Promise<EagerResult<Result>>
  async apply(args?: AnyArgs, options: Partial<KwargsOptions> & ApplyOptions = {}): Promise<EagerResult<Result>> {
    const { kwargs, throw: propagate, ...rest } = options
    const dispatcher = this.#attached()
    const call = {
      ...(args !== undefined && { args: this.#list(args) }),
      ...(kwargs !== undefined && { kwargs }),
      options: wireOptions(rest, this.task),
    }
    const plan = planCall(applyTo(this.#data, call), dispatcher)
    return (await dispatcher.apply(plan, { throw: propagate })) as EagerResult<Result>
  }

  /** The same, but what is waited for may be the error of a task that failed. */
  callAndGet(this: Signature<[], Result>, options: GetOptions & { readonly propagate: false }): Promise<Result | Error>
  /** Sends it and waits for its result (Celery's `~sig`). */
  callAndGet(
    this: Signature<[], Result>,
    options?: GetOptions & { readonly propagate?: true | undefined },
  ): Promise<Result>
  async callAndGet(this: Signature<[], Result>, options: GetOptions = {}): Promise<Result | Error> {
    const result = await this.delay()
    const { propagate, ...rest } = options
    return propagate === false ? result.get({ ...rest, propagate }) : result.get(rest)
  }

  /** This and then `next`, which gets the result in front of its own arguments unless it is immutable. */
  pipe<NextResult>(next: NextStep<Result, NextResult>): Signature<Missing, NextResult, false> {
    return new Signature(chainData([this.#data, dataOf(next, 'pipe()')]), this.dispatcher ?? next.dispatcher)
  }

  /** Calls `callback` with the result after success; of a chain, after its last step. The same one is added once. */
  link(callback: NextStep<Result, unknown>): this {
    this.#data = linkTo(this.#data, 'link', dataOf(callback, 'link()'))
    return this
  }

  /** Calls `errback` with the id of the failed task; of a chain, whichever step fails. The same one is added once. */
  linkError(errback: NextStep<string, unknown>): this {
    this.#data = linkTo(this.#data, 'link_error', dataOf(errback, 'linkError()'))
    return this
  }

  /** Celery's other name of {@link linkError}. */
  onError(errback: NextStep<string, unknown>): this {
    return this.linkError(errback)
  }

  /** Sets options; those set before stay, unless named again. */
  set(options: CallOptions): this {
    this.#data = { ...this.#data, options: mergeOptions(this.#data.options, wireOptions(options, this.task)) }
    return this
  }

  /** A copy, completed further: `args` go in front of those given. */
  clone(): Signature<Missing, Result, Immutable>
  clone<Args extends AnyArgs, const Given extends GivenArgs<Args>>(
    this: Signature<Args, Result, Immutable>,
    args: Given,
    options?: CallOptions & Partial<KwargsOptions>,
  ): Signature<MissingArgs<Args, Given>, Result, Immutable>
  clone(args?: AnyArgs, options?: CallOptions & Partial<KwargsOptions>): Signature<AnyArgs, Result, Immutable> {
    const { kwargs, ...rest } = options ?? {}
    const call = {
      ...(args && { args: this.#list(args) }),
      ...(kwargs && { kwargs }),
      options: wireOptions(rest, this.task),
    }
    return new Signature(applyTo(this.#data, call), this.dispatcher)
  }

  /**
   * Fixes the task id (of every step of a chain) before it is sent, and returns the handle on its result. Sent twice, it is the same task.
   *
   * @throws DetachedSignatureError if it belongs to no application
   */
  freeze(taskId?: string): AsyncResult<Result> {
    const dispatcher = this.#attached()
    if (taskId !== undefined) this.set({ taskId })
    const steps = stepsOf(this.#data).map((step) => freeze(step, dispatcher))
    this.#data = this.subtaskType === 'chain' ? chainData(steps) : (steps[0] as SignatureData)
    return dispatcher.resultOf(steps) as AsyncResult<Result>
  }

  /** Plain data in wire spelling, every key present. */
  toData(): SignatureData {
    return this.#data
  }

  toJSON(): SignatureData {
    return this.#data
  }

  /** As Celery shows it: `tasks.add(2, 2) | tasks.mul(3)`. */
  toString(): string {
    return signatureText(this.#data)
  }

  async #send(call: Partial<Pick<SignatureData, 'args' | 'kwargs' | 'options'>>): Promise<AsyncResult<Result>> {
    const dispatcher = this.#attached()
    const plan = planCall(applyTo(this.#data, call), dispatcher)
    return (await dispatcher.send(plan)) as AsyncResult<Result>
  }

  /** What JavaScript lets pass above all are options in the place of arguments, which would be lost. */
  #list(args: AnyArgs): AnyArgs {
    if (Array.isArray(args)) return args
    throw new TypeError(
      `args of a call of ${this.task} must be a list, such as [2, 2], not ${typeof args}; options come after it`,
    )
  }

  #attached(): Dispatcher {
    if (this.dispatcher === undefined) throw new DetachedSignatureError(this.toString())
    return this.dispatcher
  }
}

/** What may come after a step that results in `Previous`: it misses just that one argument, or is immutable. */
export type NextStep<Previous, Result> = Signature<[previous: Previous], Result> | Signature<[], Result, true>

export interface KwargsOptions extends CallOptions {
  /** Arguments by name. */
  readonly kwargs: Readonly<Record<string, unknown>>
}
