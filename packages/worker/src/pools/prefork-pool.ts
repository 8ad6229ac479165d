import { createRequire } from 'node:module'
import type { SettingsInput } from '@celery/app'
import type { TraceInput } from '@celery/app/internal'
import {
  type ChildErrorInfo,
  type ChildExit,
  type JobLost,
  type JobOutcome,
  type JobReplied,
  type PoolJob,
  ProcessPool,
  type ProcessPoolOptions,
} from '@celery/process-pool'
import { stringifyJson } from '@celery/serialization'
import type { LogLevel } from '../logger.ts'
import type { MessageOrigin } from '../trace-input.ts'
import { PoolStartError } from './pool-start-error.ts'
import { joinOutcome } from './reply.ts'
import type { JobResult, TaskJob, TaskPool } from './task-pool.ts'

export interface PreforkPoolOptions {
  readonly concurrency: number
  /** What a child needs to find the app. */
  readonly init: ChildInit
  /** Node flags of the children. @defaultValue those of this process */
  readonly execArgv: readonly string[] | undefined
  readonly startTimeoutMs: number
  readonly maxTasksPerChild: number | undefined
  readonly maxMemoryPerChildBytes: number | undefined
  /** Hands a task to a process only when that has nothing else to do. */
  readonly fair: boolean
  readonly onReady: () => void
  readonly onChildError: (error: Error) => void
  readonly onChildExit: (end: ChildEnd) => void
}

/** That a process or a thread of the pool has ended. */
export interface ChildEnd {
  /** `process 123` or `thread 4`. */
  readonly child: string
  /** Its exit status or the signal, and the error that ended it. */
  readonly status: string
  /** Why that is more than how such a child ends; `undefined` where it is just that. */
  readonly problem: string | undefined
}

/** Handed to every child before its first task. */
export interface ChildInit {
  /** The module that declares the app, as a file URL. */
  readonly appModule: string
  /** The export that is the app; `undefined` searches as `-A` does. */
  readonly appExport: string | undefined
  /** Laid over the app's own. */
  readonly settings: SettingsInput
  /** Further modules with tasks. */
  readonly include: readonly string[]
  /** Least level that tasks log. */
  readonly taskLogLevel: LogLevel
  /** Node name of the worker. */
  readonly hostname: string
  /** Where tasks log to: a path with variables, or standard error. */
  readonly logFile: string | undefined
}

/**
 * What travels with each task. An envelope goes on as it came, because reading it once more costs less than writing its
 * headers anew; what the broker gave in parts travels in parts.
 */
export type ChildJobHeader = MessageOrigin & {
  /** Absent where the body of the job is the envelope. */
  readonly message?: Pick<TraceInput, 'contentEncoding' | 'contentType' | 'priority' | 'replyTo'> & {
    /** As text, because they may hold what plain JSON does not: integers beyond 2^53. */
    readonly headers: string
  }
}

/** Built JavaScript, also when this file is run from its source. */
const childModule = createRequire(import.meta.url).resolve('@celery/worker/child')

/** Runs tasks in child processes: a task can crash, block or leak, and the worker goes on. Threads are driven alike. */
export class PreforkPool implements TaskPool {
  readonly name: string
  readonly concurrency: number
  readonly forwardsEnvelopes = true
  readonly #pool: ProcessPool

  constructor(
    options: PreforkPoolOptions,
    name = 'prefork',
    open: (options: ProcessPoolOptions) => ProcessPool = (poolOptions) => new ProcessPool(poolOptions),
  ) {
    this.name = name
    this.concurrency = options.concurrency
    this.#pool = open({
      module: childModule,
      ...(options.execArgv === undefined ? {} : { execArgv: options.execArgv }),
      size: options.concurrency,
      startTimeoutMs: options.startTimeoutMs,
      // As Celery's titles of processes.
      label: (index) => `[celeryd: ${options.init.hostname}:ForkPoolWorker-${index}]`,
      init: options.init,
      maxPipelined: options.fair ? 1 : 128,
      ...(options.maxTasksPerChild === undefined ? {} : { maxJobsPerChild: options.maxTasksPerChild }),
      ...(options.maxMemoryPerChildBytes === undefined
        ? {}
        : { maxMemoryPerChildBytes: options.maxMemoryPerChildBytes }),
      events: {
        onChildReady: options.onReady,
        onError: (error) => options.onChildError(PoolStartError.from(name, error)),
        onChildExit: (exit) => options.onChildExit(childEnd(exit)),
      },
    })
  }

  get healthy(): boolean {
    return this.#pool.healthy
  }

  /** @throws PoolStartError */
  async start(): Promise<void> {
    try {
      await this.#pool.start()
    } catch (error) {
      throw PoolStartError.from(this.name, error as Error)
    }
  }

  submit(job: TaskJob): void {
    this.#pool.submit(new PreforkJob(job))
  }

  async recall(): Promise<void> {
    await this.#pool.recall()
  }

  async stop(): Promise<void> {
    await this.#pool.close()
  }

  async terminate(): Promise<void> {
    await this.#pool.terminate()
  }

  info(): Readonly<Record<string, unknown>> {
    return {
      implementation: this.name,
      'max-concurrency': this.concurrency,
      processes: this.#pool.children.map(({ pid }) => pid),
    }
  }
}

/** A class, not an object with closures: one is made for every task. */
class PreforkJob implements PoolJob {
  readonly header: ChildJobHeader
  readonly body: string | Uint8Array
  readonly kind: string
  readonly timeoutMs?: number
  readonly softTimeoutMs?: number
  readonly #job: TaskJob

  constructor(job: TaskJob) {
    this.#job = job
    const { envelope, name, softTimeLimit, timeLimit } = job
    if (envelope === undefined) {
      const { body, contentEncoding, contentType, headers, priority, replyTo } = job.readInput()
      const message = { contentEncoding, contentType, headers: stringifyJson(headers), priority, replyTo }
      this.header = { ...job.origin, message }
      this.body = body
    } else {
      this.header = job.origin
      this.body = envelope
    }
    this.kind = name
    if (timeLimit !== undefined) this.timeoutMs = timeLimit * 1_000
    if (softTimeLimit !== undefined) this.softTimeoutMs = softTimeLimit * 1_000
  }

  onStarted(pid: number): void {
    this.#job.onStarted(pid)
  }

  onSoftTimeout(): void {
    this.#job.onSoftTimeout()
  }

  onDone(outcome: JobOutcome): void {
    this.#job.onDone(jobResult(outcome))
  }
}

function jobResult(outcome: JobOutcome): JobResult {
  switch (outcome.type) {
    case 'reply':
      return outcomeOf(outcome)
    case 'lost':
      return { type: 'lost', reason: describeExit(outcome), ...ranBy(outcome) }
    case 'timeout':
      return { type: 'timeout', limit: outcome.limitMs / 1_000, stuck: outcome.stuck === true }
    case 'recalled':
      return { type: 'recalled' }
    case 'killed':
      return { type: 'lost', reason: 'it was killed on request' }
    case 'failed':
      return { type: 'untold', reason: whyUntold(outcome.error) }
  }
}

/** Never throws: the slot of the task would stay taken. */
function outcomeOf({ body, header }: JobReplied): JobResult {
  try {
    return { type: 'outcome', outcome: joinOutcome(header, body) }
  } catch (error) {
    return { type: 'untold', reason: whyUntold(error as Error) }
  }
}

/** The tracer turns everything that a task throws into an outcome: what fails is the way of the outcome from there. */
function whyUntold({ message, name }: Pick<ChildErrorInfo, 'message' | 'name'>): string {
  switch (name) {
    case 'MessageTooLargeError':
      return `result and follow-ups together are too large to leave its process (${message}); return less, or a reference to where the data is`
    case 'EncodeError':
      return `${message}; send plain data that is less deep`
    default:
      return `${name}: ${message}`
  }
}

function childEnd(exit: ChildExit): ChildEnd {
  return { child: nameOf(exit), status: describeExit(exit), problem: problems[exit.reason] }
}

/** Of the others somebody knows already: whoever told it to end, or how the pool or the task fared. */
const problems: Partial<Record<ChildExit['reason'], string>> = {
  lost: 'nobody had told it to',
  unresponsive: 'it did not answer and was killed',
}

function nameOf({ pid, threadId }: ChildExit | JobLost): string {
  return threadId === undefined ? `process ${pid}` : `thread ${threadId}`
}

function ranBy(lost: JobLost): { readonly ranBy?: string } {
  return lost.threadId === undefined ? {} : { ranBy: `${nameOf(lost)}, which ran the task,` }
}

function describeExit({ exitCode, signal, error }: JobLost | ChildExit): string {
  const status = signal === null ? `exit status ${exitCode}` : `signal ${signal}`
  return error === undefined ? status : `${status} (${error.name}: ${error.message})`
}
