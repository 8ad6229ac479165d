/**
 * Runs calls in the process that makes them, for tests and for programs without a broker: the message is made and read as
 * it would be by a worker, and what follows from it is run too. Nothing of it goes to the broker.
 */
import type { ResultBackend } from '@celery/backend'
import type { ApplyOptions, CallPlan, PlannedCall } from '@celery/canvas'
import type { SignatureData, TaskHeaders } from '@celery/protocol'
import { type AsyncResult, type EagerOutcome, EagerResult, type ResultReader } from '@celery/results'
import type { Publication } from '@celery/transport'
import { NotRegisteredError } from './call-errors.ts'
import { workerTask } from './current-task.ts'
import { neverAborted } from './never-aborted.ts'
import type { Outgoing } from './outgoing.ts'
import { assertPriorities } from './priority.ts'
import { recordsOf } from './result-records.ts'
import type { RunEnd } from './run-end.ts'
import type { Settings } from './settings.ts'
import type { RegisteredTask } from './task.ts'
import type { TraceInput, TraceOutcome } from './trace-types.ts'
import type { Tracer } from './tracer.ts'

export interface EagerRunsOptions {
  readonly settings: Readonly<Settings>
  readonly outgoing: Outgoing
  readonly tracer: Tracer
  readonly reader: () => ResultReader
  readonly task: (name: string) => RegisteredTask | undefined
  readonly closestTask: (name: string) => string | undefined
  /** The store, where results of eager runs are to be kept. */
  readonly backend: () => Promise<ResultBackend | undefined>
}

/** How runs have ended, by their ids; the last run of each. */
type Ended = Map<string, EagerOutcome<unknown>>

export class EagerRuns {
  readonly #options: EagerRunsOptions

  constructor(options: EagerRunsOptions) {
    this.#options = options
  }

  /**
   * Runs a call, and all that follows from it. The result is that of the last step; a step that was not reached has the error
   * of the one that failed.
   * @throws TaskOptionError; what `Outgoing.local` throws; with `throw` the error of the first step that failed.
   */
  async apply({ call, steps }: CallPlan, options: ApplyOptions = {}): Promise<EagerResult> {
    assertPriorities(call)
    const ended: Ended = new Map()
    await this.#runCall(call, ended)
    const results = this.#resultsOf(steps, ended)
    const result = results.at(-1) as EagerResult
    if (options.throw ?? this.#options.settings.taskEagerPropagates) await result.get({ followParents: false })
    return result
  }

  async #runCall(call: PlannedCall, ended: Ended): Promise<void> {
    const parent = workerTask()
    const { publication } = await this.#options.outgoing.local(call, parent?.request)
    await this.#run(publication, ended)
  }

  /** Runs a message, then those that follow from it: a retry comes last, and takes its place. */
  async #run(publication: Publication, ended: Ended): Promise<void> {
    // A list and not a recursion: a task may be retried thousands of times.
    const waiting = [publication]
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      waiting.push(...(await this.#runOnce(next, ended)))
    }
  }

  async #runOnce({ message, routingKey }: Publication, ended: Ended): Promise<readonly Publication[]> {
    const headers = message.headers as unknown as TaskHeaders
    const task = this.#options.task(headers.task)
    if (task === undefined) {
      const error = new NotRegisteredError(headers.task, this.#options.closestTask(headers.task))
      ended.set(headers.id, { state: 'FAILURE', error, name: headers.task })
      return []
    }
    const { body, contentEncoding, contentType, properties } = message
    const input: TraceInput = {
      headers,
      body,
      contentType,
      contentEncoding,
      replyTo: properties.reply_to,
      priority: properties.priority,
      queue: routingKey,
      redeliveries: 0,
      hostname: headers.origin,
      isEager: true,
    }
    let end: RunEnd | undefined
    const onEnd = (told: RunEnd): void => {
      end = told
    }
    const outcome = await this.#options.tracer.run(input, { signal: neverAborted, onEnd })
    ended.set(headers.id, eagerOutcome(outcome, end, headers.task))
    await this.#store(task, outcome)
    return outcome.publish ?? []
  }

  async #store({ options }: RegisteredTask, outcome: TraceOutcome): Promise<void> {
    const writes = recordsOf(outcome)
    if (writes.length === 0 || !(options.storeEagerResult ?? this.#options.settings.taskStoreEagerResult)) return
    const backend = await this.#options.backend()
    await backend?.store(writes)
  }

  #resultsOf(steps: readonly SignatureData[], ended: Ended): readonly EagerResult[] {
    const reader = this.#options.reader()
    const results: EagerResult[] = []
    let last: EagerOutcome<unknown> = { state: 'IGNORED' }
    let parent: AsyncResult | undefined
    for (const { options } of steps) {
      const id = options.task_id as string
      last = ended.get(id) ?? last
      const result = new EagerResult(id, reader, { ...last, parent })
      results.push(result)
      parent = result
    }
    return results
  }
}

function eagerOutcome(outcome: TraceOutcome, end: RunEnd | undefined, name: string): EagerOutcome<unknown> {
  const about = { name, traceback: outcome.traceback }
  switch (outcome.state) {
    case 'SUCCESS':
      return { ...about, state: 'SUCCESS', value: end?.state === 'SUCCESS' ? end.result : null }
    case 'FAILURE':
      return { ...about, state: 'FAILURE', error: errorOf(end, outcome.text) }
    default:
      return { ...about, state: outcome.state }
  }
}

/** What the task threw; anything can be thrown. */
function errorOf(end: RunEnd | undefined, text: string): Error {
  return end?.state === 'FAILURE' && end.result instanceof Error ? end.result : new Error(text)
}
