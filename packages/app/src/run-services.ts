import type { ResultBackend } from '@celery/backend'
import type { TaskBody } from '@celery/protocol'
import type { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import { ABORTED } from './abort-task.ts'
import { checkArguments } from './arguments.ts'
import type { MessageReader } from './message-reader.ts'
import type { Outgoing } from './outgoing.ts'
import type { ResultRecords } from './result-records.ts'
import { retryMessage } from './retry-message.ts'
import type { RetryOptions } from './retry-options.ts'
import { defaultMaxRetries, retryTime } from './retry-policy.ts'
import type { PlannedRetry } from './run-end.ts'
import { MaxRetriesExceededError } from './run-errors.ts'
import { Retry } from './run-requests.ts'
import type { TaskHost } from './running-task.ts'
import type { RegisteredTask } from './task.ts'
import type { TaskLog } from './task-logger.ts'
import type { TraceInput } from './trace-types.ts'

export interface RunServicesOptions {
  readonly taskLog: TaskLog
  readonly messages: MessageReader
  readonly outgoing: Outgoing
  readonly records: ResultRecords
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
  /** Whether results are kept at all. */
  readonly keepsResults: () => boolean
  /** Opened only when a task stores a state of its own. */
  readonly backend: () => Promise<ResultBackend>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** What an app does for a task while it runs. */
export class RunServices implements TaskHost {
  readonly taskLog: TaskLog
  readonly #options: RunServicesOptions

  constructor(options: RunServicesOptions) {
    this.#options = options
    this.taskLog = options.taskLog
  }

  planRetry(task: RegisteredTask, input: TraceInput, body: TaskBody, given: RetryOptions): PlannedRetry {
    const { compressions, messages, now, outgoing, serializers } = this.#options
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
    const nowMs = now()
    const { etaMs, when } = retryTime(task.name, given, task.options, nowMs)
    const publication = retryMessage({
      input,
      body,
      isProtocol2: Array.isArray(messages.readBody(input)),
      options: given,
      etaMs,
      nowMs,
      serializers,
      compressions,
    })
    if (queue !== undefined) outgoing.assertQueue(queue)
    return { error: new Retry({ exc, when }), publication }
  }

  async storeState(input: TraceInput, taskId: string, state: string, meta: unknown): Promise<void> {
    const { backend, keepsResults, records } = this.#options
    const write = records.reported(input, taskId, state, meta)
    if (!keepsResults()) return
    const store = await backend()
    await store.store([write])
  }

  async isAborted(taskId: string): Promise<boolean> {
    const { backend, keepsResults } = this.#options
    if (!keepsResults()) return false
    const store = await backend()
    return (await store.fetch([taskId])).get(taskId)?.state === ABORTED
  }
}
