import type { Clock } from '@celery/promises'
import type { InitHeader } from './child/serve-jobs.ts'
import type { ChildLink, ChildLinkEvents, ConnectChild } from './child-link.ts'
import { type ChildErrorInfo, CorruptFrameError, readErrorInfo } from './errors.ts'
import { FrameDecoder, FrameKind, type FrameView, FrameWriter, PROTOCOL_VERSION } from './frame.ts'
import type { JobEntry } from './job-entry.ts'
import type { JobOutcome } from './pool-job.ts'
import { RunTimes } from './run-times.ts'

/** What a child needs to be started. */
export interface ChildSpec {
  /** File URL or path. */
  readonly module: string
  readonly init: Omit<InitHeader, 'index'>
  readonly connect: ConnectChild
}

/** Why a child ended. */
export type ChildEndReason = 'closed' | 'lost' | 'timeout' | 'killed' | 'unresponsive' | 'corrupt' | 'start-failed'

export interface ChildExit {
  /** 0 if the operating system could not even start the process. */
  readonly pid: number
  /** Where the child was a thread: which one. */
  readonly threadId?: number
  readonly exitCode: number | null
  readonly signal: string | null
  readonly reason: ChildEndReason
  /** What the child said last, if it could: the uncaught error, or why it did not start. */
  readonly error?: ChildErrorInfo
}

/** What a child tells the pool. Calls come in the order in which things happened. */
export interface ChildListener {
  onReady(child: PoolChild): void
  onStarted(child: PoolChild, entry: JobEntry): void
  onDone(child: PoolChild, entry: JobEntry, outcome: JobOutcome): void
  /** Jobs the child gave back unstarted. */
  onReturned(child: PoolChild, entries: readonly JobEntry[]): void
  /** Everything that had arrived has been told. */
  onReadEnd(child: PoolChild): void
  /** It takes no more jobs: it is retiring, was killed, or is ending by itself. Its place can be filled. */
  onLeaving(child: PoolChild): void
  /** It has ended and all it wrote has been told, the loss of its running job included. `unstarted` never began. */
  onGone(child: PoolChild, exit: ChildExit, unstarted: readonly JobEntry[]): void
  onError(error: Error): void
}

/** Milliseconds that a process which ended gets until its pipe has ended too, and the other way round. */
const SETTLE_MS = 1_000
/** Milliseconds after which a killed child is given up: a process that hangs in the kernel, a thread in native code. */
const ABANDON_MS = 5_000

/** One child and the jobs it has been given. Knows nothing of other children. */
export class PoolChild {
  /** Its place in the pool, from 1. */
  readonly index: number
  readonly pid: number
  state: 'starting' | 'ready' | 'leaving' | 'gone' = 'starting'
  /** Jobs sent and not done, oldest first; only the first can be running. */
  readonly jobs: JobEntry[] = []
  /** Milliseconds of work that `jobs` are expected to be. */
  loadMs = 0
  /** Bytes of jobs that have not started. */
  unstartedBytes = 0
  /** Jobs ever sent, without those that came back unstarted. */
  assigned = 0
  completed = 0
  /** The running job takes far longer than expected: nothing is sent ahead. */
  stuck = false
  /** When the running job started, and when its limits pass. Monotonic milliseconds. */
  startedAt = 0
  readyAt = 0
  /** It left although nobody wanted it to. */
  failed = false
  /** Has something to {@link flush}. */
  dirty = false
  /** Since when it has a job to start and does not. */
  waitingSince = 0
  softAt: number = Number.POSITIVE_INFINITY
  hardAt: number = Number.POSITIVE_INFINITY

  readonly #link: ChildLink
  readonly #clock: Clock
  readonly #listener: ChildListener
  readonly #writer: FrameWriter
  #seq = 0
  #ending: ChildEndReason | undefined
  /** The job for whose sake it was killed. */
  #victim: { readonly entry: JobEntry; readonly outcome: JobOutcome } | undefined
  #error: ChildErrorInfo | undefined
  #wasReady = false
  #cancelAnswers: (() => void)[] = []
  #status: { readonly exitCode: number | null; readonly signal: string | null } | undefined
  #drained = false
  /** Nothing could end it, and it may be running still. */
  #isAbandoned = false
  #cancelTimer: (() => void) | undefined

  constructor(spec: ChildSpec, index: number, clock: Clock, listener: ChildListener) {
    this.index = index
    this.#clock = clock
    this.#listener = listener
    const decoder = new FrameDecoder((frame) => this.#onFrame(frame))
    const events: ChildLinkEvents = {
      onBytes: (chunk) => this.#onChunk(decoder, chunk),
      onStartError: (error) => this.#onStartError(error),
      onError: (error) => {
        this.#error ??= error
      },
      onExit: (exitCode, signal) => this.#onExit(exitCode, signal),
      onDrained: () => this.#onDrained(),
    }
    const link = spec.connect(spec.module, events, index)
    this.#link = link
    this.pid = link.pid
    this.#writer = new FrameWriter((bytes, done) => link.write(bytes, done))
    this.#writer.append(FrameKind.init, 0, 0, JSON.stringify({ ...spec.init, index }))
    this.#writer.flush()
  }

  /** The job that has been told to have started and has no reply yet. */
  get running(): JobEntry | undefined {
    return this.jobs[0]?.started === true ? this.jobs[0] : undefined
  }

  /** Queues a job for the child; it leaves with the next {@link flush}. */
  send(entry: JobEntry): void {
    entry.seq = this.#seq = (this.#seq + 1) >>> 0
    entry.expectedMs = entry.runTime.expectedMs
    entry.started = entry.cancelling = false
    this.assigned += 1
    this.loadMs += entry.expectedMs
    this.unstartedBytes += entry.sizeBytes
    this.jobs.push(entry)
    this.#writer.append(FrameKind.job, entry.seq, 0, entry.header, entry.job.body)
  }

  flush(): void {
    this.dirty = false
    this.#writer.flush()
  }

  /** Asks for these unstarted jobs back. Resolves when the child has answered or ended; the listener was told before. */
  cancel(entries: readonly JobEntry[]): Promise<void> {
    for (const entry of entries) entry.cancelling = true
    this.#writer.append(FrameKind.cancel, 0, 0, JSON.stringify(entries.map((entry) => entry.seq)))
    this.#writer.flush()
    return new Promise((resolve) => this.#cancelAnswers.push(resolve))
  }

  /** Aborts the running job's signal. */
  softLimit(limitMs: number): void {
    const running = this.running
    if (running === undefined) return
    this.#writer.append(FrameKind.abort, running.seq, limitMs)
    this.#writer.flush()
  }

  /** Takes no more jobs; those it has still run. */
  retire(failed = false): void {
    if (this.state !== 'starting' && this.state !== 'ready') return
    this.state = 'leaving'
    this.failed = failed
    this.#listener.onLeaving(this)
  }

  /** Lets it end by itself, once it has no job. Killed after `withinMs`. */
  close(withinMs: number): void {
    if (this.#ending !== undefined) return
    this.retire()
    this.#ending = 'closed'
    this.#writer.append(FrameKind.close, 0)
    this.#writer.flush()
    this.#after(withinMs, () => this.kill('closed'))
  }

  /** Without asking. The running job ends with `outcome`, if given, unless its reply was already on the way. */
  kill(reason: ChildEndReason, outcome?: JobOutcome): void {
    if (this.state === 'gone') return
    const entry = this.running
    if (entry !== undefined && outcome !== undefined) this.#victim ??= { entry, outcome }
    this.#ending ??= reason
    this.#link.kill()
    this.#after(ABANDON_MS, () => {
      this.#isAbandoned = this.#status === undefined
      this.#status ??= { exitCode: null, signal: 'SIGKILL' }
      this.#link.abandon()
      this.#onDrained()
    })
    this.retire(reason === 'start-failed' || reason === 'corrupt')
  }

  #onChunk(decoder: FrameDecoder, chunk: Buffer): void {
    if (this.#ending === 'corrupt') return
    try {
      decoder.push(chunk)
    } catch (error) {
      if (!(error instanceof CorruptFrameError)) throw error
      this.#listener.onError(error)
      this.kill('corrupt')
    }
    this.#listener.onReadEnd(this)
  }

  #onFrame(frame: FrameView): void {
    switch (frame.kind) {
      case FrameKind.started:
        this.#onStarted(frame.seq)
        break
      case FrameKind.reply: {
        const { pid } = this
        const runtimeMs = frame.aux / 1_000
        const header = frame.header()
        this.#onDone(frame.seq, runtimeMs, { type: 'reply', header, body: frame.body(), pid, runtimeMs })
        break
      }
      case FrameKind.failed: {
        const runtimeMs = frame.aux / 1_000
        const error = readErrorInfo(frame.header())
        this.#onDone(frame.seq, runtimeMs, { type: 'failed', error, pid: this.pid, runtimeMs })
        break
      }
      case FrameKind.cancelled:
        this.#onReturned(frame.header())
        this.#cancelAnswers.shift()?.()
        break
      case FrameKind.returned:
        this.#onReturned(frame.header())
        break
      case FrameKind.retire:
        this.retire()
        break
      case FrameKind.ready:
        this.#onReady(frame.aux)
        break
      case FrameKind.startFailed:
      case FrameKind.crashed:
        this.#error = readErrorInfo(frame.header())
        break
      default:
        throw new CorruptFrameError(`kind ${frame.kind} sent by a child`)
    }
  }

  #onReady(version: number): void {
    if (version !== PROTOCOL_VERSION) {
      this.#error = {
        name: 'Error',
        message: `it uses an @celery/process-pool that speaks version ${version}, the pool speaks ${PROTOCOL_VERSION}`,
      }
      this.kill('start-failed')
      return
    }
    if (this.state !== 'starting') return
    this.#wasReady = true
    this.readyAt = this.#clock.monotonic()
    this.state = 'ready'
    this.#listener.onReady(this)
  }

  #onStarted(seq: number): void {
    const entry = this.jobs[0]
    if (entry?.seq !== seq || entry.started) throw new CorruptFrameError(`job ${seq} started out of turn`)
    entry.started = true
    this.unstartedBytes -= entry.sizeBytes
    this.#listener.onStarted(this, entry)
  }

  #onDone(seq: number, runtimeMs: number, outcome: JobOutcome): void {
    const entry = this.jobs[0]
    if (entry?.seq !== seq || !entry.started) throw new CorruptFrameError(`job ${seq} done out of turn`)
    this.jobs.shift()
    this.#forgetLoad(entry)
    this.completed += 1
    this.stuck = false
    // Told of an error that did not end it after all.
    this.#error = undefined
    this.softAt = this.hardAt = Number.POSITIVE_INFINITY
    RunTimes.learn(entry.runTime, runtimeMs)
    this.#listener.onDone(this, entry, outcome)
  }

  #onReturned(header: unknown): void {
    if (!Array.isArray(header)) throw new CorruptFrameError('a list of jobs was expected')
    if (header.length === 0) return
    const seqs = new Set<unknown>(header)
    const returned = this.jobs.filter((entry) => !entry.started && seqs.has(entry.seq))
    if (returned.length !== seqs.size) throw new CorruptFrameError('a child gave back jobs that it did not have')
    for (const entry of returned) {
      this.jobs.splice(this.jobs.indexOf(entry), 1)
      this.#forgetLoad(entry)
      this.unstartedBytes -= entry.sizeBytes
      this.assigned -= 1
    }
    this.#listener.onReturned(this, returned)
  }

  #forgetLoad(entry: JobEntry): void {
    // Sums of floating-point numbers drift, so start afresh whenever that is possible.
    this.loadMs = this.jobs.length === 0 ? 0 : this.loadMs - entry.expectedMs
  }

  #onStartError(error: Error): void {
    this.#error = { name: error.name, message: error.message }
    this.#status = { exitCode: null, signal: null }
    this.#onDrained()
  }

  #onExit(exitCode: number | null, signal: string | null): void {
    this.#status ??= { exitCode, signal }
    this.retire(true)
    if (this.#drained) this.#onGone()
    // A process of the user's code may have inherited the pipe and hold it open.
    else this.#after(SETTLE_MS, () => this.#link.abandon())
  }

  #onDrained(): void {
    if (this.#drained) return
    this.#drained = true
    this.retire(true)
    if (this.#status !== undefined) this.#onGone()
    else this.#after(SETTLE_MS, () => this.kill(this.#wasReady ? 'lost' : 'start-failed'))
  }

  #onGone(): void {
    if (this.state === 'gone') return
    this.state = 'gone'
    this.#cancelTimer?.()
    const { exitCode, signal } = this.#status ?? { exitCode: null, signal: null }
    const reason = this.#wasReady ? (this.#ending ?? 'lost') : this.#endOfStart()
    const { threadId } = this.#link
    const who = { pid: this.pid, ...(threadId === undefined ? undefined : { threadId }) }
    const error = this.#error === undefined ? {} : { error: this.#error }
    const running = this.running
    const unstarted = this.jobs.filter((entry) => entry !== running)
    this.jobs.length = 0
    if (running !== undefined) {
      const lost = { type: 'lost', ...who, exitCode, signal, ...error } as const
      const outcome = this.#victim?.entry === running ? this.#victim.outcome : lost
      const isStuck = this.#isAbandoned && outcome.type === 'timeout'
      this.#listener.onDone(this, running, isStuck ? { ...outcome, stuck: true } : outcome)
    }
    this.#listener.onGone(this, { ...who, exitCode, signal, reason, ...error }, unstarted)
    for (const answer of this.#cancelAnswers.splice(0)) answer()
  }

  #endOfStart(): ChildEndReason {
    return this.#ending === 'closed' || this.#ending === 'killed' ? this.#ending : 'start-failed'
  }

  #after(delayMs: number, run: () => void): void {
    this.#cancelTimer?.()
    this.#cancelTimer = this.#clock.schedule(delayMs, run)
  }
}
