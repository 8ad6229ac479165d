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
import { assertRunnable } from '@celery/canvas'
import type { TaskBody, TaskEmbed } from '@celery/protocol'
import type { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import type { Publication } from '@celery/transport'
import type { AppSignals } from './app-signals.ts'
import { bindArguments } from './arguments.ts'
import { NotRegisteredError } from './call-errors.ts'
import { runInTask } from './current-task.ts'
import type { MessageReader } from './message-reader.ts'
import type { Outgoing } from './outgoing.ts'
import type { RecordCodec } from './record-codec.ts'
import { ResultRecords } from './result-records.ts'
import type { RunEnd } from './run-end.ts'
import { RunServices } from './run-services.ts'
import { RunningTask, type TaskHost } from './running-task.ts'
import type { Settings } from './settings.ts'
import type { RegisteredTask } from './task.ts'
import type { TaskLog } from './task-logger.ts'
import { errorText, mapped, TaskOutcomes, type Traced } from './task-outcomes.ts'
import { taskRequest } from './task-request.ts'
import { tellEnd } from './tell-end.ts'
import { thrownEnd } from './thrown-end.ts'
import type { SoftLimit, TraceInput, TraceOutcome } from './trace-types.ts'

export interface TracerOptions {
  readonly settings: Readonly<Settings>
  readonly task: (name: string) => RegisteredTask | undefined
  readonly closestTask: (name: string) => string | undefined
  readonly messages: MessageReader
  readonly outgoing: Outgoing
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
  readonly records: RecordCodec
  readonly signals: AppSignals
  readonly taskLog: TaskLog
  /** Whether results are kept at all. */
  readonly keepsResults: () => boolean
  /** Opened only when a task stores a state of its own. */
  readonly backend: () => Promise<ResultBackend>
}

export class Tracer {
  readonly #options: TracerOptions
  readonly #records: ResultRecords
  readonly #outcomes: TaskOutcomes
  readonly #host: TaskHost

  constructor(options: TracerOptions) {
    this.#options = options
    const { keepsResults, messages, now, outgoing, records: codec, settings, task } = options
    const decode = (input: TraceInput): TaskBody => messages.readTask(input)
    this.#records = new ResultRecords({ settings, codec, keepsResults, task, now, decode })
    this.#outcomes = new TaskOutcomes({ outgoing, codec, records: this.#records })
    this.#host = new RunServices({ ...options, records: this.#records })
  }

  /**
   * Runs a task. Never throws or rejects: whatever goes wrong is the outcome. A task that does not wait for anything
   * has its outcome at once, without the cost of a promise.
   */
  run(input: TraceInput, limits: SoftLimit | undefined): Traced {
    const loading = input.isEager === true ? this.#prepareEager(input) : this.#options.messages.prepare(input)
    return loading === undefined ? this.#runReady(input, limits) : this.#runWhen(loading, input, limits)
  }

  /**
   * The outcome of a task that did not end by itself: its process died, it ran too long, nobody knows it. Never throws or
   * rejects.
   */
  failed(input: TraceInput, error: unknown): Traced {
    return this.#whenPrepared(input, () => this.#failed(input, error))
  }

  #failed(input: TraceInput, error: unknown): Traced {
    try {
      const task = this.#options.task(input.headers.task)
      const outcome = this.#outcomes.failed({ input, task, embed: this.#embedOf(input), error, runtime: 0 })
      const { taskFailure } = this.#options.signals
      if (taskFailure.hasListeners) {
        void taskFailure.send({ sender: input.headers.task, request: taskRequest(input, undefined), error })
      }
      if (!(outcome instanceof Promise)) return outcome
      return outcome.catch((unforeseen: unknown) => this.#unforeseen(input, unforeseen))
    } catch (unforeseen) {
      return this.#unforeseen(input, unforeseen)
    }
  }

  /** The outcome of a task that is not to run. Never throws or rejects. */
  revoked(input: TraceInput, error: Error): Traced {
    return this.#whenPrepared(input, () => this.#revoked(input, error))
  }

  #whenPrepared(input: TraceInput, end: () => Traced): Traced {
    const loading = this.#options.messages.prepare(input)
    // What cannot be loaded cannot be read: how the task ended is told all the same.
    return loading === undefined ? end() : loading.catch(() => {}).then(end)
  }

  #revoked(input: TraceInput, error: Error): TraceOutcome {
    try {
      const task = this.#options.task(input.headers.task)
      return this.#outcomes.revoked({ input, task, embed: this.#embedOf(input), error })
    } catch (unforeseen) {
      return this.#unforeseen(input, unforeseen)
    }
  }

  /**
   * The records of tasks whose messages the broker refuses for good, and of the steps after them: nobody is going to run
   * them. Never throws: of a message that cannot be read there is none.
   */
  unsent(publications: readonly Publication[], error: unknown): readonly ResultWrite[] {
    return publications.flatMap(({ message, routingKey }) => {
      try {
        const { body, contentEncoding, contentType, properties } = message
        const headers = this.#options.messages.readHeaders(message)
        const about = { queue: routingKey, redeliveries: 0, hostname: headers.origin, replyTo: properties.reply_to }
        const input = { headers, body, contentEncoding, contentType, ...about }
        const task = this.#options.task(headers.task)
        return this.#outcomes.unsent({ input, task, embed: this.#embedOf(input), error })
      } catch {
        return []
      }
    })
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

  /** Where a task is run by whoever calls it, no worker has loaded what its result is stored in. */
  #prepareEager(input: TraceInput): Promise<void> | undefined {
    const { messages, records } = this.#options
    const loading = [messages.prepare(input), records.prepareToWrite()].filter((each) => each !== undefined)
    return loading.length === 0 ? undefined : Promise.all(loading).then(() => undefined)
  }

  async #runWhen(loading: Promise<void>, input: TraceInput, limits: SoftLimit | undefined): Promise<TraceOutcome> {
    try {
      await loading
    } catch (error) {
      return this.#dead(input, error)
    }
    return this.#runReady(input, limits)
  }

  #runReady(input: TraceInput, limits: SoftLimit | undefined): Traced {
    try {
      const task = this.#options.task(input.headers.task)
      if (task === undefined) {
        const error = new NotRegisteredError(input.headers.task, this.#options.closestTask(input.headers.task))
        if (input.isEager !== true && this.#options.settings.unknownTasks === 'requeue') return unknown(error)
        return this.#dead(input, error)
      }
      let body: TaskBody
      try {
        body = this.#options.messages.readTask(input)
        assertRunnable(body.embed)
      } catch (error) {
        return this.#dead(input, error)
      }
      const run = new RunningTask(this.#host, task, input, body, limits)
      if (!this.#options.signals.watchesRuns && task.handlers === undefined) return this.#unwatched(run)
      return this.#watched(run).catch((error: unknown) => this.#unforeseen(input, error))
    } catch (error) {
      return this.#unforeseen(input, error)
    }
  }

  /** The outcome of a message that nobody can run. */
  #dead(input: TraceInput, error: unknown): Traced {
    return mapped(this.failed(input, error), (outcome) => ({ ...outcome, dead: errorText(error) }))
  }

  /** Runs a task that nobody wants to hear of; without a promise, unless it makes one. */
  #unwatched(run: RunningTask): Traced {
    const { body, task } = run
    const started = performance.now()
    try {
      const args = bindArguments(task.name, task.parameters, body.args, body.kwargs)
      const value = runInTask(run, () => task.run(run, args))
      if (isThenable(value)) return this.#awaited(run, value, started)
      const outcome = this.#succeeded(run, value, started)
      return outcome instanceof Promise ? this.#awaitedOutcome(run, outcome, started) : withPlans(run, outcome)
    } catch (error) {
      return withPlans(run, this.#threw(run, error, started))
    }
  }

  async #awaited(run: RunningTask, value: PromiseLike<unknown>, started: number): Promise<TraceOutcome> {
    let outcome: TraceOutcome
    try {
      const told = this.#succeeded(run, await value, started)
      outcome = told instanceof Promise ? await told : told
    } catch (error) {
      outcome = await this.#threw(run, error, started)
    }
    return withPlans(run, outcome)
  }

  /** Of a task that succeeded, where what follows from it takes time to be written. */
  async #awaitedOutcome(run: RunningTask, outcome: Promise<TraceOutcome>, started: number): Promise<TraceOutcome> {
    const told = await outcome.catch((error: unknown) => this.#threw(run, error, started))
    return withPlans(run, told)
  }

  /** Runs a task that has handlers, or whose signals somebody listens to. */
  #watched(run: RunningTask): Promise<TraceOutcome> {
    const { body, task } = run
    const { signals, taskLog: log } = this.#options
    return runInTask(run, async () => {
      if (signals.taskPrerun.hasListeners) {
        await signals.taskPrerun.send({ sender: task.name, request: run.request })
      }
      const started = performance.now()
      let outcome: TraceOutcome
      let end: RunEnd
      try {
        await task.handlers?.beforeStart?.(run)
        const args = bindArguments(task.name, task.parameters, body.args, body.kwargs)
        const value = await task.run(run, args)
        outcome = await this.#succeeded(run, value, started)
        end = { state: 'SUCCESS', result: value }
      } catch (error) {
        const thrown = thrownEnd(run, error)
        end = thrown
        run.ended(thrown)
        outcome = await this.#outcomes.ended(run, thrown, secondsSince(started))
      }
      await tellEnd({ task, context: run, end, signals, log })
      return withPlans(run, outcome)
    })
  }

  #succeeded(run: RunningTask, value: unknown, started: number): Traced {
    const runtime = secondsSince(started)
    run.ended({ state: 'SUCCESS', result: value })
    return this.#outcomes.succeeded(run, value, runtime)
  }

  #threw(run: RunningTask, error: unknown, started: number): Traced {
    const runtime = secondsSince(started)
    try {
      const end = thrownEnd(run, error)
      run.ended(end)
      return this.#outcomes.ended(run, end, runtime)
    } catch (unforeseen) {
      return this.#unforeseen(run.input, unforeseen)
    }
  }

  /** Who hears of it. What cannot be read, or not be carried out, calls nobody back; the failure itself is stored all the same. */
  #embedOf(input: TraceInput): TaskEmbed | undefined {
    let embed: TaskEmbed
    try {
      embed = this.#options.messages.readTask(input).embed
    } catch {
      return undefined
    }
    try {
      assertRunnable(embed)
      return embed
    } catch {
      return { ...embed, callbacks: null, errbacks: null }
    }
  }

  /**
   * The outcome where even the failure cannot be told as it should, after an error whose reading throws, for example. What
   * is left out is the error itself and who is called back: nothing of the task's may be read again.
   */
  #unforeseen(input: TraceInput, error: unknown): TraceOutcome {
    const text = `the outcome of the task cannot be told: ${errorText(error)}`
    const outcome = { state: 'FAILURE', runtime: 0, text } as const
    const { taskInternalError } = this.#options.signals
    if (taskInternalError.hasListeners) {
      void taskInternalError.send({ sender: input.headers.task, request: taskRequest(input, undefined), error })
    }
    const kept = { ...outcome, ...this.#unreached(input, new Error(text)) }
    if (!this.#options.keepsResults() || input.headers.ignore_result === true) return kept
    return { ...kept, write: this.refusedRecord(input.headers.id, new Error(text)) }
  }

  /** Of the steps after a task whose own end cannot be told; that of theirs may be as hard to tell. */
  #unreached(input: TraceInput, error: Error): Pick<TraceOutcome, 'unreached'> {
    try {
      return this.#outcomes.untold({ embed: this.#embedOf(input), error })
    } catch {
      return {}
    }
  }
}

/** The outcome with the next run that the task has asked for, when the states that it stored are kept. */
function withPlans(run: RunningTask, outcome: Traced): Traced {
  return outcome instanceof Promise ? outcome.then((later) => planned(run, later)) : planned(run, outcome)
}

function planned({ planned: next, updates }: RunningTask, outcome: TraceOutcome): Traced {
  if (next === undefined && updates === undefined) return outcome
  const whole = next === undefined ? outcome : { ...outcome, publish: [...(outcome.publish ?? []), next.publication] }
  return updates === undefined ? whole : updates.then(() => whole)
}

/** The outcome of a message that another process may be able to run. */
function unknown(error: NotRegisteredError): TraceOutcome {
  return { state: 'REJECTED', runtime: 0, text: errorText(error), isUnknown: true }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1_000
}
