/**
 * Runs one received task and works out everything that follows from it:
 *
 * 1. decode the body (nobody did before: only the process that runs a task reads its arguments);
 * 2. refuse what cannot be carried out, before the task runs;
 * 3. run the function with its context, between its handlers and the signals if anybody wants them;
 * 4. build the record for the result store and the messages that follow, all encoded and with their ids fixed.
 *
 * It neither stores nor sends: the owner of the delivery settles all of it in one step.
 */
import type { ResultBackend, ResultWrite } from '@celery/backend'
import { assertRunnable, callbackCalls, errbackCalls, type FinishedTask, nextChainStep } from '@celery/canvas'
import { CeleryError } from '@celery/promises'
import {
  decodeMessageHeaders,
  decodeTaskBody,
  pythonRepr,
  type ResultTuple,
  type TaskBody,
  type TaskEmbed,
  type TaskHeaders,
  tracebackText,
  type WireMessage,
} from '@celery/protocol'
import type { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import { ABORTED } from './abort-task.ts'
import type { AppCodecs, MessageContent } from './app-codecs.ts'
import { MaxRetriesExceededError, NotRegisteredError, Retry } from './app-errors.ts'
import type { AppSignals } from './app-signals.ts'
import { bindArguments, checkArguments } from './arguments.ts'
import { localTime } from './local-time.ts'
import type { Outgoing } from './outgoing.ts'
import type { RecordCodec } from './record-codec.ts'
import { ResultRecords } from './result-records.ts'
import { retryMessage } from './retry-message.ts'
import { autoretryOf, defaultMaxRetries, matches, retryTime } from './retry-policy.ts'
import { type RunEnd, tellEnd } from './run-end.ts'
import type { Settings } from './settings.ts'
import type { RegisteredTask, RetryOptions } from './task.ts'
import { type PlannedRetry, RunningTask, runInTask, type TaskHost, taskRequest } from './task-context.ts'
import type { TaskLog } from './task-logger.ts'
import type { SoftLimit, TraceInput, TraceOutcome } from './trace-types.ts'

export interface TracerOptions {
  readonly settings: Readonly<Settings>
  readonly task: (name: string) => RegisteredTask | undefined
  readonly closestTask: (name: string) => string | undefined
  readonly outgoing: Outgoing
  /** Milliseconds since 1970. @defaultValue `Date.now` */
  readonly now?: () => number
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
  readonly codecs: AppCodecs
  readonly records: RecordCodec
  readonly signals: AppSignals
  readonly taskLog: TaskLog
  /** Whether results are kept at all. */
  readonly keepsResults: () => boolean
  /** Opened only when a task stores a state of its own. */
  readonly backend: () => Promise<ResultBackend>
}

export class Tracer implements TaskHost {
  readonly taskLog: TaskLog
  readonly #options: TracerOptions
  readonly #records: ResultRecords
  readonly #bodyOf = (message: MessageContent): unknown => this.readBody(message)
  readonly #times = { fromLocal: (localMs: number): number => this.#fromLocal(localMs) }
  constructor(options: TracerOptions) {
    this.#options = options
    this.taskLog = options.taskLog
    const { keepsResults, records: codec, settings } = options
    this.#records = new ResultRecords({ settings, codec, keepsResults, decode: (input) => this.#decode(input) })
  }

  /**
   * Runs a task. Never throws or rejects: whatever goes wrong is the outcome. A task that does not wait for anything
   * has its outcome at once, without the cost of a promise.
   */
  run(input: TraceInput, limits: SoftLimit | undefined): Traced {
    const loading = input.isEager === true ? this.#prepareEager(input) : this.prepare(input)
    return loading === undefined ? this.#runReady(input, limits) : this.#runWhen(loading, input, limits)
  }

  /**
   * Brings into memory what it takes to run a task; `undefined` where that is there. Rejects with CodecUnavailableError.
   * A worker loads what its settings name before; any compression may come.
   */
  prepare(message: Pick<MessageContent, 'headers' | 'contentType'>): Promise<void> | undefined {
    return this.#options.codecs.prepareToRead(message)
  }

  /** Refuses a message whose format is not accepted, before anything of it is read. @throws ContentDisallowedError */
  assertAccepted(message: Pick<MessageContent, 'contentType'>): void {
    this.#options.codecs.assertAccepted(message.contentType)
  }

  /**
   * The headers of a task message of any protocol; they may stand in its body.
   * @throws InvalidTaskMessageError, and what `readBody` throws.
   */
  readHeaders(message: WireMessage): TaskHeaders {
    return decodeMessageHeaders(message, this.#bodyOf, this.#times)
  }

  /** The body of a message, as far as its serializer goes. @throws ContentDisallowedError, DecodeError and others of codecs */
  readBody(message: MessageContent): unknown {
    return this.#options.codecs.read(message)
  }

  /**
   * The outcome of a task that did not end by itself: its process died, it ran too long, nobody knows it. Never throws or
   * rejects.
   */
  failed(input: TraceInput, error: unknown): Traced {
    try {
      const outcome = this.#failed(input, error)
      const { taskFailure } = this.#options.signals
      if (taskFailure.hasListeners) {
        void taskFailure.send({ sender: input.headers.task, request: taskRequest(input, undefined), error })
      }
      return outcome
    } catch (unforeseen) {
      return this.#unforeseen(input, unforeseen)
    }
  }

  /** The outcome of a task that is not to run. Never throws. */
  revoked(input: TraceInput, error: Error): TraceOutcome {
    try {
      const result = this.#options.records.exceptionForm(error)
      const task = this.#options.task(input.headers.task)
      const write = this.#records.write(input, task, { status: 'REVOKED', result, traceback: null })
      return { state: 'IGNORED', runtime: 0, text: describe(error), ...(write === undefined ? {} : { write }) }
    } catch (unforeseen) {
      return this.#unforeseen(input, unforeseen)
    }
  }

  /** The record of a task whose own record the store refuses. */
  refusedRecord(taskId: string, error: unknown): ResultWrite {
    return this.#records.refused(taskId, error)
  }

  /** The record that says a task has started. */
  startedRecord(input: TraceInput, pid: number): ResultWrite | undefined {
    return this.#records.write(input, this.#options.task(input.headers.task), {
      status: 'STARTED',
      result: { pid, hostname: input.hostname },
      traceback: null,
    })
  }

  /** @internal */
  planRetry(task: RegisteredTask, input: TraceInput, body: TaskBody, given: RetryOptions): PlannedRetry {
    const { compressions, serializers } = this.#options
    const { headers } = input
    const { exc } = given
    const { maxRetries = defaultMaxRetries } = task.options
    const most = given.maxRetries === undefined ? maxRetries : given.maxRetries
    if (most !== null && headers.retries >= most) {
      if (exc !== undefined) throw exc
      const { argsrepr, id, kwargsrepr, task: name } = headers
      throw new MaxRetriesExceededError(`Can't retry ${name}[${id}] args:${argsrepr} kwargs:${kwargsrepr}`)
    }
    const { args = body.args, kwargs = body.kwargs, queue } = given
    checkArguments(task.name, task.parameters, args, kwargs)
    const { now = Date.now } = this.#options
    const nowMs = now()
    const { etaMs, when } = retryTime(task.name, given, task.options, nowMs)
    const publication = retryMessage({
      input,
      body,
      isProtocol2: Array.isArray(this.readBody(input)),
      options: given,
      etaMs,
      nowMs,
      serializers,
      compressions,
    })
    if (queue !== undefined) this.#options.outgoing.assertQueue(queue)
    return { error: new Retry({ exc, when }), publication }
  }

  /** @internal */
  async storeState(input: TraceInput, taskId: string, state: string, meta: unknown): Promise<void> {
    const write = this.#records.reported(input, taskId, state, meta)
    if (!this.#options.keepsResults()) return
    const backend = await this.#options.backend()
    await backend.store([write])
  }

  /** @internal */
  async isAborted(taskId: string): Promise<boolean> {
    if (!this.#options.keepsResults()) return false
    const backend = await this.#options.backend()
    return (await backend.fetch([taskId])).get(taskId)?.state === ABORTED
  }

  /** As in Celery, a time of protocol 1 whose sender does not use UTC is one of the app's zone. */
  #fromLocal(localMs: number): number {
    const { enableUtc, timezone } = this.#options.settings
    if (timezone === undefined && enableUtc) return localMs
    return localTime(timezone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone)(localMs)
  }

  /** Where a task is run by whoever calls it, no worker has loaded what its result is stored in. */
  #prepareEager(input: TraceInput): Promise<void> | undefined {
    const loading = [this.prepare(input), this.#options.records.prepareToWrite()].filter((each) => each !== undefined)
    return loading.length === 0 ? undefined : Promise.all(loading).then(() => undefined)
  }

  #runReady(input: TraceInput, limits: SoftLimit | undefined): Traced {
    try {
      return this.#run(input, limits)
    } catch (error) {
      return this.#unforeseen(input, error)
    }
  }

  async #runWhen(loading: Promise<void>, input: TraceInput, limits: SoftLimit | undefined): Promise<TraceOutcome> {
    try {
      await loading
    } catch (error) {
      return this.#dead(input, error)
    }
    return this.#runReady(input, limits)
  }

  /** The outcome of a message that nobody can run. */
  #dead(input: TraceInput, error: unknown): Traced {
    return mapped(this.failed(input, error), (outcome) => ({ ...outcome, dead: describe(error) }))
  }

  #run(input: TraceInput, limits: SoftLimit | undefined): Traced {
    const task = this.#options.task(input.headers.task)
    if (task === undefined) {
      const error = new NotRegisteredError(input.headers.task, this.#options.closestTask(input.headers.task))
      return this.#dead(input, error)
    }
    let body: TaskBody
    try {
      body = this.#decode(input)
      assertRunnable(body.embed)
    } catch (error) {
      return this.#dead(input, error)
    }
    const context = new RunningTask(this, task, input, body, limits)
    if (this.#options.signals.watchesRuns || task.handlers !== undefined) {
      return this.#watched(input, task, body, context).catch((error: unknown) => this.#unforeseen(input, error))
    }
    const started = performance.now()
    try {
      const args = bindArguments(task.name, task.parameters, body.args, body.kwargs)
      const value = runInTask(context, () => task.run(context, args))
      if (isThenable(value)) return this.#awaited(input, task, body, context, value, started)
      const outcome = this.#succeeded(input, task, body.embed, context, value, secondsSince(started))
      if (outcome instanceof Promise) return this.#told(input, task, body, context, outcome, started)
      return withPlans(context, outcome)
    } catch (error) {
      return withPlans(context, this.#threw(input, task, body, context, error, secondsSince(started)))
    }
  }

  /** As above, for a task that has handlers, or whose signals somebody listens to. */
  async #watched(input: TraceInput, task: RegisteredTask, body: TaskBody, context: RunningTask): Promise<TraceOutcome> {
    const { signals } = this.#options
    return runInTask(context, async () => {
      if (signals.taskPrerun.hasListeners) {
        await signals.taskPrerun.send({ sender: task.name, request: context.request })
      }
      const started = performance.now()
      let outcome: TraceOutcome
      let end: RunEnd
      try {
        await task.handlers?.beforeStart?.(context)
        const args = bindArguments(task.name, task.parameters, body.args, body.kwargs)
        const value = await task.run(context, args)
        outcome = await this.#succeeded(input, task, body.embed, context, value, secondsSince(started))
        end = { state: 'SUCCESS', result: value }
      } catch (error) {
        end = this.#endOf(task, context, error)
        outcome = await this.#outcomeOf(input, task, body, context, end, secondsSince(started))
      }
      await tellEnd({ task, context, end, signals, log: this.taskLog })
      return withPlans(context, outcome)
    })
  }

  #failed(input: TraceInput, error: unknown): Traced {
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

  /** A task that succeeded, where what follows from it takes time to be written. */
  async #told(
    input: TraceInput,
    task: RegisteredTask,
    body: TaskBody,
    context: RunningTask,
    outcome: Promise<TraceOutcome>,
    started: number,
  ): Promise<TraceOutcome> {
    const told = await outcome.catch((error: unknown) =>
      this.#threw(input, task, body, context, error, secondsSince(started)),
    )
    return withPlans(context, told)
  }

  async #awaited(
    input: TraceInput,
    task: RegisteredTask,
    body: TaskBody,
    context: RunningTask,
    value: PromiseLike<unknown>,
    started: number,
  ): Promise<TraceOutcome> {
    let outcome: TraceOutcome
    try {
      const told = this.#succeeded(input, task, body.embed, context, await value, secondsSince(started))
      outcome = told instanceof Promise ? await told : told
    } catch (error) {
      outcome = await this.#threw(input, task, body, context, error, secondsSince(started))
    }
    return withPlans(context, outcome)
  }

  #decode(input: TraceInput): TaskBody {
    return decodeTaskBody(this.readBody(input))
  }

  #succeeded(
    input: TraceInput,
    task: RegisteredTask,
    embed: TaskEmbed,
    context: RunningTask,
    value: unknown,
    runtime: number,
  ): Traced {
    context.ended({ state: 'SUCCESS', result: value })
    const record = { status: 'SUCCESS', result: value, traceback: null }
    const write = this.#records.write(input, task, record, context.children)
    const { resultreprMaxsize: maxLength } = task.options
    const text = pythonRepr(value, maxLength === undefined ? undefined : { maxLength })
    const { callbacks, chain } = embed
    if (callbacks === null && chain === null) {
      return write === undefined ? { state: 'SUCCESS', runtime, text } : { state: 'SUCCESS', runtime, text, write }
    }
    const finished = finishedTask(input)
    const next = nextChainStep(chain, value, finished)
    const calls = [...callbackCalls(callbacks, value, finished), ...(next === undefined ? [] : [next])]
    const done: TraceOutcome = { state: 'SUCCESS', runtime, text, ...(write === undefined ? {} : { write }) }
    const publish = this.#options.outgoing.followUps(calls, taskRequest(input, undefined))
    return publish instanceof Promise ? publish.then((later) => ({ ...done, publish: later })) : { ...done, publish }
  }

  #threw(
    input: TraceInput,
    task: RegisteredTask,
    body: TaskBody,
    context: RunningTask,
    error: unknown,
    runtime: number,
  ): Traced {
    try {
      return this.#outcomeOf(input, task, body, context, this.#endOf(task, context, error), runtime)
    } catch (unforeseen) {
      return this.#unforeseen(input, unforeseen)
    }
  }

  /** What it comes to that a task threw `error`. */
  #endOf(task: RegisteredTask, context: RunningTask, error: unknown): RunEnd {
    const wish = wishOf(error)
    if (wish !== undefined) return { ...wish, result: error }
    if (context.planned !== undefined && error === context.planned.error) return { state: 'RETRY', ...context.planned }
    const retry = autoretryOf(task.options, error, context.request.retries)
    if (retry === undefined) return { state: 'FAILURE', result: error }
    try {
      context.retry({ ...retry, throw: false })
    } catch (final) {
      return { state: 'FAILURE', result: final }
    }
    return { state: 'RETRY', ...(context.planned as unknown as PlannedRetry) }
  }

  #outcomeOf(
    input: TraceInput,
    task: RegisteredTask,
    body: TaskBody,
    context: RunningTask,
    end: RunEnd,
    runtime: number,
  ): Traced {
    context.ended(end)
    switch (end.state) {
      case 'RETRY':
        return this.#retried(input, task, context, end.error, runtime)
      case 'IGNORED':
        return { state: end.state, runtime, text: describe(end.result) }
      case 'REJECTED':
        return { state: end.state, requeue: end.requeue, runtime, text: describe(end.result) }
      default: {
        const outcome = this.#failure(input, task, body.embed, end.result, runtime, context.children)
        if (!matches(task.options.throws, end.result)) return outcome
        return mapped(outcome, (failure) => ({ ...failure, expected: true }))
      }
    }
  }

  #retried(input: TraceInput, task: RegisteredTask, context: RunningTask, retry: Retry, runtime: number): TraceOutcome {
    const { exc, message: text } = retry
    const result = exc === undefined ? null : this.#options.records.exceptionForm(exc)
    const traceback = tracebackText(retry)
    // As in Celery, the next run is one of its children.
    const children: ResultTuple[] = [...(context.children ?? []), [[input.headers.id, null], null]]
    const write = this.#records.write(input, task, { status: 'RETRY', result, traceback }, children)
    return { state: 'RETRY', runtime, text, traceback, ...(write === undefined ? {} : { write }) }
  }

  /**
   * The outcome where even the failure cannot be told as it should, after an error whose reading throws, for example. What
   * is left out is the error itself and who is called back: nothing of the task's may be read again.
   */
  #unforeseen(input: TraceInput, error: unknown): TraceOutcome {
    const text = `the outcome of the task cannot be told: ${describe(error)}`
    const outcome = { state: 'FAILURE', runtime: 0, text } as const
    const { taskInternalError } = this.#options.signals
    if (taskInternalError.hasListeners) {
      void taskInternalError.send({ sender: input.headers.task, request: taskRequest(input, undefined), error })
    }
    if (!this.#options.keepsResults() || input.headers.ignore_result === true) return outcome
    return { ...outcome, write: this.refusedRecord(input.headers.id, new Error(text)) }
  }

  #failure(
    input: TraceInput,
    task: RegisteredTask | undefined,
    embed: TaskEmbed | undefined,
    error: unknown,
    runtime: number,
    children?: readonly ResultTuple[],
  ): Traced {
    const { outgoing, records } = this.#options
    const form = records.exceptionForm(error)
    const traceback = tracebackText(error)
    const write = this.#records.write(input, task, { status: 'FAILURE', result: form, traceback }, children)
    const text = `${form.exc_type}(${form.exc_message.map((arg) => pythonRepr(arg)).join(', ')})`
    const failure = { state: 'FAILURE', runtime, text, traceback, ...(write === undefined ? {} : { write }) } as const
    if (embed?.errbacks == null || embed.errbacks.length === 0) return failure
    // It must not hide why the task failed: that is stored, and this is said beside it.
    const unsent = (error: unknown): TraceOutcome => ({
      ...failure,
      text: `${text}; its errbacks cannot be sent: ${describe(error)}`,
    })
    try {
      const calls = errbackCalls(embed.errbacks, finishedTask(input))
      const publish = outgoing.followUps(calls, taskRequest(input, undefined))
      if (!(publish instanceof Promise)) return { ...failure, publish }
      return publish.then((later) => ({ ...failure, publish: later }), unsent)
    } catch (error) {
      return unsent(error)
    }
  }
}

/** An outcome, at once where nothing has to be waited for. */
type Traced = TraceOutcome | Promise<TraceOutcome>

function mapped(outcome: Traced, change: (outcome: TraceOutcome) => TraceOutcome): Traced {
  return outcome instanceof Promise ? outcome.then(change) : change(outcome)
}

/** The outcome with the next run that the task has asked for, when the states that it stored are kept. */
function withPlans(context: RunningTask, outcome: Traced): Traced {
  return outcome instanceof Promise ? outcome.then((later) => planned(context, later)) : planned(context, outcome)
}

function planned(context: RunningTask, outcome: TraceOutcome): Traced {
  const { planned: next, updates } = context
  if (next === undefined && updates === undefined) return outcome
  const whole = next === undefined ? outcome : { ...outcome, publish: [...(outcome.publish ?? []), next.publication] }
  return updates === undefined ? whole : updates.then(() => whole)
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
function wishOf(
  error: unknown,
): { readonly state: 'IGNORED' } | { readonly state: 'REJECTED'; readonly requeue: boolean } | undefined {
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
