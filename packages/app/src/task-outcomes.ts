import type { ResultWrite } from '@celery/backend'
import { callbackCalls, errbackCalls, type FinishedTask, nextChainStep } from '@celery/canvas'
import { pythonRepr, type ResultTuple, type TaskEmbed, tracebackText } from '@celery/protocol'
import { childrenOf } from './follow-up-children.ts'
import type { Outgoing } from './outgoing.ts'
import type { RecordCodec } from './record-codec.ts'
import { type ResultRecords, recordsOf, type UnsuccessfulRecord } from './result-records.ts'
import { matches } from './retry-policy.ts'
import type { ThrownEnd } from './run-end.ts'
import type { Retry } from './run-requests.ts'
import type { RunningTask } from './running-task.ts'
import type { RegisteredTask } from './task.ts'
import { taskRequest } from './task-request.ts'
import type { TraceInput, TraceOutcome } from './trace-types.ts'

export interface TaskOutcomesOptions {
  readonly outgoing: Outgoing
  readonly records: ResultRecords
  readonly codec: RecordCodec
}

/** An outcome, at once where nothing has to be waited for. */
export type Traced = TraceOutcome | Promise<TraceOutcome>

/** An error without a run: its process died, or nobody could run it. */
export interface TaskFailure {
  readonly input: TraceInput
  /** Where it is known here. */
  readonly task: RegisteredTask | undefined
  /** Who is called back, where that can be read. */
  readonly embed: TaskEmbed | undefined
  readonly error: unknown
  /** Seconds. */
  readonly runtime: number
  readonly children?: readonly ResultTuple[] | undefined
}

type Kept = Pick<TraceOutcome, 'unreached' | 'write'>

/** Builds what is to be stored and sent when a task has ended: the record for the result store, and the messages that follow. */
export class TaskOutcomes {
  readonly #options: TaskOutcomesOptions

  constructor(options: TaskOutcomesOptions) {
    this.#options = options
  }

  /** @param runtime - seconds. @throws EncodeError for what cannot be stored; what `Outgoing.followUps` throws. */
  succeeded(run: RunningTask, value: unknown, runtime: number): Traced {
    const { body, input, task } = run
    const { records } = this.#options
    const record = { status: 'SUCCESS', result: value, traceback: null }
    const { resultreprMaxsize: maxLength } = task.options
    const text = pythonRepr(value, maxLength === undefined ? undefined : { maxLength })
    const { callbacks: links, chain } = body.embed
    if (links === null && chain === null) {
      const write = records.write(input, task, record, run.children)
      return write === undefined ? { state: 'SUCCESS', runtime, text } : { state: 'SUCCESS', runtime, text, write }
    }
    const finished = finishedTask(input)
    const callbacks = callbackCalls(links, value, finished)
    const next = nextChainStep(chain, value, finished)
    const write = records.write(input, task, record, childrenOf(run, { callbacks, next }))
    const calls = [...callbacks, ...(next === undefined ? [] : [next])]
    const done: TraceOutcome = { state: 'SUCCESS', runtime, text, ...(write === undefined ? {} : { write }) }
    const publish = this.#options.outgoing.followUps(calls, taskRequest(input, undefined))
    return publish instanceof Promise ? publish.then((later) => ({ ...done, publish: later })) : { ...done, publish }
  }

  /** Of a run whose task threw. @param runtime - seconds. @throws EncodeError */
  ended(run: RunningTask, end: ThrownEnd, runtime: number): Traced {
    switch (end.state) {
      case 'RETRY':
        return this.#retried(run, end.error, runtime)
      case 'IGNORED':
        return { state: end.state, runtime, text: errorText(end.result) }
      case 'REJECTED':
        return this.#rejected(run, end.result, end.requeue, runtime)
      case 'FAILURE': {
        const { body, children, input, task } = run
        const outcome = this.failed({ input, task, embed: body.embed, error: end.result, runtime, children })
        if (!matches(task.options.throws, end.result)) return outcome
        return mapped(outcome, (failure) => ({ ...failure, expected: true }))
      }
    }
  }

  /** As in Celery 5.7, a task whose message does not come back has failed: somebody may wait for it. @throws EncodeError */
  #rejected(run: RunningTask, error: unknown, requeue: boolean, runtime: number): TraceOutcome {
    const { body, children, input, task } = run
    const result = this.#options.codec.exceptionForm(error)
    const record = { status: 'FAILURE', result, traceback: tracebackText(error) }
    const kept = this.#kept({ input, task, embed: body.embed, children }, record)
    return { state: 'REJECTED', requeue, runtime, text: errorText(error), ...kept }
  }

  /** @throws EncodeError */
  failed({ children, embed, error, input, runtime, task }: TaskFailure): Traced {
    const { codec, outgoing } = this.#options
    const form = codec.exceptionForm(error)
    const traceback = tracebackText(error)
    const kept = this.#kept({ input, task, embed, children }, { status: 'FAILURE', result: form, traceback })
    const text = `${form.exc_type}(${form.exc_message.map((arg) => pythonRepr(arg)).join(', ')})`
    const failure = { state: 'FAILURE', runtime, text, traceback, ...kept } as const
    if (embed?.errbacks == null || embed.errbacks.length === 0) return failure
    // It must not hide why the task failed: that is stored, and this is said beside it.
    const unsent = (problem: unknown): TraceOutcome => ({
      ...failure,
      text: `${text}; its errbacks cannot be sent: ${errorText(problem)}`,
    })
    try {
      const calls = errbackCalls(embed.errbacks, finishedTask(input))
      const publish = outgoing.followUps(calls, taskRequest(input, undefined))
      if (!(publish instanceof Promise)) return { ...failure, publish }
      return publish.then((later) => ({ ...failure, publish: later }), unsent)
    } catch (problem) {
      return unsent(problem)
    }
  }

  /** Of a task that is not to run. @throws EncodeError */
  revoked({ embed, error, input, task }: Omit<TaskFailure, 'children' | 'runtime'>): TraceOutcome {
    const result = this.#options.codec.exceptionForm(error)
    const kept = this.#kept({ input, task, embed }, { status: 'REVOKED', result, traceback: null })
    return { state: 'IGNORED', runtime: 0, text: errorText(error), ...kept }
  }

  /** The records of one that was never sent, and of the steps after it. @throws EncodeError */
  unsent({ embed, error, input, task }: Omit<TaskFailure, 'children' | 'runtime'>): readonly ResultWrite[] {
    const record = { status: 'FAILURE', result: this.#options.codec.exceptionForm(error), traceback: null }
    return recordsOf(this.#kept({ input, task, embed }, record))
  }

  /** What is stored of the steps after one whose own end cannot be told. */
  untold({ embed, error }: Pick<TaskFailure, 'embed' | 'error'>): Kept {
    if (embed?.chain == null) return {}
    const result = this.#options.codec.exceptionForm(error)
    return { unreached: this.#options.records.unreached(embed.chain, { status: 'FAILURE', result, traceback: null }) }
  }

  /** What is stored of a task that did not succeed, and of the steps after it. */
  #kept(about: Omit<TaskFailure, 'error' | 'runtime'>, record: UnsuccessfulRecord): Kept {
    const { children, embed, input, task } = about
    const { records } = this.#options
    const write = records.write(input, task, record, children)
    const unreached = embed?.chain == null ? [] : records.unreached(embed.chain, record)
    return {
      ...(write === undefined ? undefined : { write }),
      ...(unreached.length === 0 ? undefined : { unreached }),
    }
  }

  #retried({ children: sent, input, task }: RunningTask, retry: Retry, runtime: number): TraceOutcome {
    const { exc, message: text } = retry
    const result = exc === undefined ? null : this.#options.codec.exceptionForm(exc)
    const traceback = tracebackText(retry)
    // As in Celery, the next run is one of its children.
    const children: ResultTuple[] = [...(sent ?? []), [[input.headers.id, null], null]]
    const write: ResultWrite | undefined = this.#options.records.write(
      input,
      task,
      { status: 'RETRY', result, traceback },
      children,
    )
    return { state: 'RETRY', runtime, text, traceback, ...(write === undefined ? {} : { write }) }
  }
}

/** The outcome changed, as soon as it is there. */
export function mapped(outcome: Traced, change: (outcome: TraceOutcome) => TraceOutcome): Traced {
  return outcome instanceof Promise ? outcome.then(change) : change(outcome)
}

/** In a few words, whatever was thrown: a getter of the error's own may throw. */
export function errorText(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error)
  } catch {
    return pythonRepr(error)
  }
}

function finishedTask({ headers, replyTo }: TraceInput): FinishedTask {
  return {
    taskId: headers.id,
    rootId: headers.root_id,
    ...(replyTo === undefined || replyTo === '' ? {} : { replyTo }),
  }
}
