import type { CallOptions, Celery } from '@celery/app'
import { recordsOf, type TraceInput } from '@celery/app/internal'
import type { AnyArgs } from '@celery/canvas'
import type { Publication } from '@celery/transport'
import type { RunLog, TaskRun } from './run-log.ts'
import { readHeaders } from './sent-task.ts'
import type { TestBroker } from './test-broker.ts'

/** As much of a task as it takes to send it. */
export interface SendableTask<Args extends AnyArgs, Result, Kwargs> {
  readonly taskName: string
  delay(...args: Args): Promise<{ get(): Promise<Result> }>
  applyAsync(args: Partial<Args>, options: CallOptions & { readonly kwargs: Kwargs }): unknown
}

/** How a call is made, and what a worker would know besides. */
export interface RunOptions<Kwargs = Readonly<Record<string, unknown>>> extends CallOptions {
  readonly kwargs?: Kwargs
  /** Retries before this run. @defaultValue `0` */
  readonly retries?: number
  /** How often its message came back from a lost worker. @defaultValue `0` */
  readonly redeliveries?: number
  /** Node that runs it. @defaultValue `'celery@test'` */
  readonly hostname?: string
  /** The signal that the task gets: abort it with `SoftTimeLimitExceededError` to see what it does at its soft limit. */
  readonly softLimit?: AbortSignal
}

/** The message of a call, which goes to nobody. */
export async function messageOf<Args extends AnyArgs, Kwargs>(
  { app, divert }: Pick<RunParts, 'app' | 'divert'>,
  task: SendableTask<Args, unknown, Kwargs>,
  args: Args,
  options: CallOptions & { readonly kwargs?: Kwargs },
): Promise<Publication> {
  const taskId = options.taskId ?? app.newId()
  let found: Publication | undefined
  const stop = divert(taskId, (publication) => {
    found = publication
  })
  try {
    // Its two forms differ only in whether keyword arguments take the place of others.
    await task.applyAsync(args as Partial<Args>, { ...options, taskId } as CallOptions & { readonly kwargs: Kwargs })
  } finally {
    stop()
  }
  if (found !== undefined) return found
  throw new TypeError(`${task.taskName} was not sent when it was called: is it a task of the app that is tested?`)
}

export interface RunParts {
  readonly app: Celery
  readonly broker: TestBroker
  readonly runLog: RunLog
  /** Takes the message of a task out of its way until the returned function is called. */
  readonly divert: (taskId: string, take: (publication: Publication) => void) => () => void
}

/** Runs one task here and now, as a worker would: what follows from it is sent, and its result stored. */
export async function runTask<Args extends AnyArgs, Result, Kwargs>(
  parts: RunParts,
  task: SendableTask<Args, Result, Kwargs>,
  args: Args,
  options: RunOptions<Kwargs>,
): Promise<TaskRun<Result>> {
  const { app, broker, runLog } = parts
  const { hostname = 'celery@test', redeliveries = 0, retries = 0, softLimit, ...call } = options
  const { message, routingKey } = await messageOf(parts, task, args, call)
  const headers = { ...readHeaders(message, app), retries }
  const input: TraceInput = {
    headers,
    body: message.body,
    contentType: message.contentType,
    contentEncoding: message.contentEncoding,
    replyTo: message.properties.reply_to,
    priority: message.properties.priority,
    queue: routingKey,
    redeliveries,
    hostname,
  }
  const outcome = await app.tracer.run(input, softLimit === undefined ? undefined : { signal: softLimit })
  if (outcome.publish !== undefined) await broker.publish(outcome.publish)
  // What a worker puts back has no result yet.
  const writes = recordsOf(outcome)
  if (writes.length > 0 && outcome.requeue !== true) await (await app.backend()).store(writes)
  const run = runLog.runs.findLast(({ id }) => id === headers.id)
  if (run !== undefined) return run as TaskRun<Result>
  // Not even the failure could be told, after an error that cannot be read for example.
  const { id, task: name } = headers
  return { task: name, id, args, kwargs: {}, retries, state: 'FAILURE', error: new Error(outcome.text) }
}
