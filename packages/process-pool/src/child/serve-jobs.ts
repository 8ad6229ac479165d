import { CorruptFrameError, describeError, NotInPoolError, SoftTimeLimitExceeded } from '../errors.ts'
import { checkMessage, FrameKind, type FrameView, PROTOCOL_VERSION } from '../frame.ts'
import { type Channel, ParentChannel } from './channel.ts'
import { type PoolChildKind, poolChildKind } from './pool-child-kind.ts'
import { ThreadChannel } from './thread-channel.ts'
import { setYoungGenerationGrowth } from './young-generation.ts'

/** One job as the child sees it. */
export interface Job {
  readonly header: unknown
  /** A string if the pool's owner gave a string, else bytes. */
  readonly body: string | Uint8Array
  /** Aborts with {@link SoftTimeLimitExceeded} at the soft time limit. Cannot interrupt code that blocks the event loop. */
  readonly signal: AbortSignal
}

/** The answer to a job. */
export interface Reply {
  /** Anything that JSON can hold. */
  readonly header?: unknown
  readonly body?: string | Uint8Array
}

/** Does one job. What it throws becomes the outcome `failed`; the child lives on. */
export type Handler = (job: Job) => Reply | Promise<Reply>

export interface ServeJobsOptions {
  /** Runs when the pool lets this child go: it is shrinking, closing, or the child has served its time. */
  readonly onClose?: () => void | Promise<void>
  /** Makes the reason with which a job's signal aborts. @defaultValue a {@link SoftTimeLimitExceeded} */
  readonly softLimitReason?: (limitMs: number) => Error
}

/** Prepares a child; `init` is what the pool's owner hands to all of them. */
export type Setup = (init: unknown, place: ChildPlace) => Handler | Promise<Handler>

/** What a child knows of its place in the pool. */
export interface ChildPlace {
  /** From 1. Whoever replaces a child has its number, so that it can name what a child has for itself: a file, a port. */
  readonly index: number
}

/** @internal What the pool hands over first. */
export interface InitHeader extends ChildPlace {
  readonly init?: unknown
  readonly maxMemoryBytes?: number
}

/**
 * Makes this process or thread serve its pool: prepares with `setup`, then runs jobs one at a time until the pool lets it go.
 * Call it once, in the module named to the pool.
 *
 * @throws NotInPoolError anywhere else
 */
export function serveJobs(setup: Setup, options: ServeJobsOptions = {}): void {
  const kind = poolChildKind()
  // Elsewhere the descriptors of the pipes could be anybody's.
  if (kind === undefined) throw new NotInPoolError()
  new JobServer(kind, setup, options)
}

/** Milliseconds of jobs after which waiting control frames are looked for. One look costs about 10 µs. */
const POLL_EVERY_MS = 1
/** Milliseconds after which the event loop gets a turn, although more jobs wait. */
const TURN_EVERY_MS = 5
/** Milliseconds between two looks at the memory in use. One look costs about 20 µs. */
const MEMORY_EVERY_MS = 20

class JobServer {
  readonly #setup: Setup
  readonly #options: ServeJobsOptions
  readonly #channel: Channel
  readonly #kind: PoolChildKind
  #handler: Handler | undefined
  #queue: QueuedJob[] = []
  #current: QueuedJob | undefined
  #looping = false
  #retiring = false
  #maxMemoryBytes = Number.POSITIVE_INFINITY
  #now = 0
  #polledAt = 0
  #turnedAt = 0
  #weighedAt = 0

  constructor(kind: PoolChildKind, setup: Setup, options: ServeJobsOptions) {
    this.#kind = kind
    this.#setup = setup
    this.#options = options
    const Way = kind === 'thread' ? ThreadChannel : ParentChannel
    this.#channel = new Way(
      (frame) => this.#onFrame(frame),
      () => {
        this.#turnedAt = this.#polledAt = performance.now()
        this.#run()
      },
    )
    // Tells the pool why, then lets Node print the error and end the process as always.
    process.on('uncaughtExceptionMonitor', (error) => {
      this.#channel.writer.append(FrameKind.crashed, 0, 0, JSON.stringify(describeError(error)))
      this.#channel.writer.flush()
    })
  }

  #onFrame(frame: FrameView): void {
    switch (frame.kind) {
      case FrameKind.job:
        this.#accept(new QueuedJob(frame.seq, frame.header(), frame.body()))
        break
      case FrameKind.cancel:
        this.#cancel(frame.header() as number[])
        break
      case FrameKind.abort:
        if (this.#current?.seq === frame.seq) this.#current.abort(this.#softLimitReason(frame.aux))
        break
      case FrameKind.init:
        void this.#prepare(frame.header() as InitHeader)
        break
      case FrameKind.close:
        void this.#close()
        break
      default:
        throw new CorruptFrameError(`kind ${frame.kind} sent to a child`)
    }
  }

  async #prepare(header: InitHeader): Promise<void> {
    const { writer } = this.#channel
    this.#maxMemoryBytes = header.maxMemoryBytes ?? this.#maxMemoryBytes
    try {
      const handler = await this.#setup(header.init, { index: header.index })
      if (typeof handler !== 'function') throw new TypeError('the function given to serveJobs() returned no handler')
      this.#handler = handler
      if (this.#kind === 'process') setYoungGenerationGrowth(2)
      writer.append(FrameKind.ready, 0, PROTOCOL_VERSION)
      writer.flush()
    } catch (error) {
      writer.append(FrameKind.startFailed, 0, 0, JSON.stringify(describeError(error)))
      writer.flush()
      process.exit(1)
    }
  }

  async #close(): Promise<void> {
    await this.#options.onClose?.()
    process.exit(0)
  }

  #softLimitReason(limitMs: number): Error {
    return this.#options.softLimitReason?.(limitMs) ?? new SoftTimeLimitExceeded(limitMs)
  }

  #accept(job: QueuedJob): void {
    if (this.#retiring) this.#giveBack(FrameKind.returned, [job])
    else this.#queue.push(job)
  }

  #cancel(seqs: readonly number[]): void {
    const wanted = new Set(seqs)
    const cancelled = this.#queue.filter((job) => wanted.has(job.seq))
    this.#queue = this.#queue.filter((job) => !wanted.has(job.seq))
    this.#giveBack(FrameKind.cancelled, cancelled)
  }

  #giveBack(kind: number, jobs: readonly QueuedJob[]): void {
    this.#channel.writer.append(kind, 0, 0, JSON.stringify(jobs.map((job) => job.seq)))
    this.#channel.writer.flush()
  }

  /** Runs the queue empty. Returns early where a job is asynchronous or the event loop is due; both call it again. */
  #run(): void {
    const handler = this.#handler
    if (this.#looping || handler === undefined) return
    const { writer } = this.#channel
    this.#looping = true
    this.#now = performance.now()
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      // One write: the reply to the job before, and the news that this one starts. User code runs only after it.
      writer.append(FrameKind.started, job.seq)
      writer.flush()
      this.#current = job
      job.startedAt = this.#now
      try {
        const reply = handler(job)
        if (isPromise(reply)) {
          this.#await(job, reply)
          return
        }
        this.#reply(job, reply)
      } catch (error) {
        this.#fail(job, error)
      }
      if (!this.#betweenJobs()) return
    }
    this.#looping = false
    writer.flush()
  }

  #await(job: QueuedJob, reply: PromiseLike<Reply>): void {
    const next = (): void => {
      if (!this.#betweenJobs()) return
      this.#looping = false
      this.#run()
    }
    reply.then(
      (value) => {
        this.#reply(job, value)
        next()
      },
      (error: unknown) => {
        this.#fail(job, error)
        next()
      },
    )
  }

  #reply(job: QueuedJob, reply: Reply): void {
    let header: string
    const body = reply?.body ?? ''
    try {
      header = reply?.header === undefined ? '' : (JSON.stringify(reply.header) ?? '')
      checkMessage(header, body)
    } catch (error) {
      this.#fail(job, error)
      return
    }
    this.#channel.writer.append(FrameKind.reply, job.seq, this.#finish(job), header, body)
  }

  #fail(job: QueuedJob, error: unknown): void {
    const header = JSON.stringify(describeError(error))
    this.#channel.writer.append(FrameKind.failed, job.seq, this.#finish(job), header)
  }

  /** Microseconds that the job took. */
  #finish(job: QueuedJob): number {
    this.#current = undefined
    this.#now = performance.now()
    return Math.min((this.#now - job.startedAt) * 1_000, 0xff_ff_ff_ff)
  }

  /** Whether the next job may start right away. */
  #betweenJobs(): boolean {
    if (this.#now - this.#weighedAt > MEMORY_EVERY_MS) this.#weigh()
    if (this.#now - this.#polledAt > POLL_EVERY_MS) {
      this.#channel.writer.flush()
      this.#channel.poll()
      this.#now = this.#polledAt = performance.now()
    }
    if (this.#now - this.#turnedAt < TURN_EVERY_MS) return true
    this.#channel.writer.flush()
    setImmediate(() => {
      this.#turnedAt = performance.now()
      this.#looping = false
      this.#run()
    })
    return false
  }

  /** Asks to be replaced if this child has grown too large, and hands back what it has not started. */
  #weigh(): void {
    if (this.#maxMemoryBytes === Number.POSITIVE_INFINITY || this.#retiring) return
    this.#weighedAt = this.#now
    if (memoryBytes(this.#kind) <= this.#maxMemoryBytes) return
    this.#retiring = true
    this.#channel.writer.append(FrameKind.retire, 0)
    this.#giveBack(FrameKind.returned, this.#queue.splice(0))
  }
}

/** The resident set belongs to the whole process: what a thread has of its own is its heap and what hangs on that. */
function memoryBytes(kind: PoolChildKind): number {
  if (kind === 'process') return process.memoryUsage.rss()
  const { external, heapTotal } = process.memoryUsage()
  return heapTotal + external
}

function isPromise(value: Reply | PromiseLike<Reply>): value is PromiseLike<Reply> {
  return typeof (value as PromiseLike<Reply> | undefined)?.then === 'function'
}

/** A job that waits or runs here. Its signal is made when first asked for: most jobs never ask. */
class QueuedJob implements Job {
  readonly seq: number
  readonly header: unknown
  readonly body: string | Uint8Array
  startedAt = 0
  #controller: AbortController | undefined

  constructor(seq: number, header: unknown, body: string | Uint8Array) {
    this.seq = seq
    this.header = header
    this.body = body
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  abort(reason: Error): void {
    this.#controller ??= new AbortController()
    this.#controller.abort(reason)
  }
}
