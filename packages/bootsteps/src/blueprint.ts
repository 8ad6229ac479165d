import { type CeleryError, type Clock, type Deferred, deferred, reportUncaught } from '@celery/promises'
import { type BootstepGraph, graphOf } from './graph.ts'
import { BlueprintStopError, BlueprintStoppedError, StepFailedError, type StepPhase } from './lifecycle-errors.ts'
import { orderSteps } from './order-steps.ts'
import type { Step } from './step.ts'
import { StepRun, type StopLimits } from './step-run.ts'

/**
 * Where a blueprint is in its one life:
 * `initial → starting → running → stopping → stopped`, where any of the first four may go straight to `stopping`.
 * `failed` takes the place of `stopped` when a step ended it by failing.
 */
export type BlueprintState = 'initial' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed'

/** What a {@link Blueprint} is made of. */
export type BlueprintOptions<Parent = undefined> = {
  /** For messages and graphs, for example `worker`. */
  readonly name: string
  /** In the order wanted where requirements leave it open. */
  readonly steps: readonly Step<Parent>[]
  /** Milliseconds that each step may take to stop, unless it says otherwise. @defaultValue no limit */
  readonly stopTimeoutMs?: number | undefined
  /** Hears of each failure while stopping, as it happens; `stop()` rejects with all of them at the end. */
  readonly onStopError?: ((error: CeleryError) => void) | undefined
  /** Whose time the limits are in. @defaultValue the machine's */
  readonly clock?: Clock | undefined
} & (undefined extends Parent
  ? { /** Handed to every step. */ readonly parent?: Parent }
  : { /** Handed to every step. */ readonly parent: Parent })

/** Why a blueprint ends, other than by being told to. */
interface Failure {
  readonly step: string
  readonly phase: StepPhase
  readonly cause: unknown
}

/**
 * Starts steps in order of what they require, one after the other, and stops them in reverse.
 *
 * `start()` and `stop()` may be called at any time, in any order, by anyone, any number of times: each step is started
 * at most once, stopped exactly once if it was started, and never after one that it needs. It has one life; to start
 * again, make a new one from the same steps.
 *
 * 1. `start()` asks each step whether it is enabled, creates them all, then starts them, awaiting each.
 * 2. A step that fails ends it: those already started are stopped, then `start()` rejects with that step's name.
 * 3. `stop()` during the start aborts the signal of the step that is starting, waits for it, and stops from there down.
 * 4. Each step is stopped whatever the others do; failures are collected.
 */
export class Blueprint<Parent = undefined> implements AsyncDisposable {
  readonly name: string
  /** The steps in order of starting, disabled ones included. */
  readonly steps: readonly Step<Parent>[]
  /** Resolves when everything has stopped; rejects if a step ended it by failing, or did not stop cleanly. */
  readonly closed: Promise<void>

  readonly #parent: Parent
  readonly #limits: StopLimits
  readonly #onStopError: ((error: CeleryError) => void) | undefined
  readonly #closed: Deferred<void> = deferred()
  readonly #runs: StepRun<Parent>[] = []
  /** Aborts when stopping begins. */
  readonly #stop = new AbortController()
  /** Aborts when stopping has to be quick. */
  readonly #terminate = new AbortController()
  #state: BlueprintState = 'initial'
  #started: Deferred<void> | undefined
  #stopped: Deferred<void> | undefined
  /** What the step that was starting rejected with when it was told to stop. */
  #interruptedBy: unknown

  /** @throws DuplicateStepError, UnknownRequirementError, BootstepCircleError */
  constructor(options: BlueprintOptions<Parent>) {
    this.name = options.name
    this.steps = orderSteps(options.steps)
    this.closed = this.#closed.promise
    this.#parent = options.parent as Parent // left out only where `undefined` is a Parent
    this.#limits = { blueprint: options.name, stopTimeoutMs: options.stopTimeoutMs, clock: options.clock }
    this.#onStopError = options.onStopError
    // The same error reaches the callers of start() and stop(); nobody is obliged to watch `closed` too.
    this.closed.catch(() => {})
  }

  get state(): BlueprintState {
    return this.#state
  }

  /** What requires what, as it is in force. */
  graph(): BootstepGraph {
    return graphOf(this.steps)
  }

  /**
   * Resolves when every enabled step runs. A second call joins the first.
   *
   * @throws StepFailedError when a step failed, after those before it were stopped
   * @throws BlueprintStoppedError when it was stopped before or meanwhile
   */
  start(): Promise<void> {
    if (this.#started === undefined) {
      this.#started = deferred()
      if (this.#stopped === undefined) void this.#startSteps(this.#started)
      else this.#started.reject(new BlueprintStoppedError(this.name))
    }
    return this.#started.promise
  }

  /**
   * Resolves when everything is down; a second call joins the first. Before `start()` it only prevents it. A step may
   * call it, but not wait for it.
   *
   * @throws BlueprintStopError naming each step that did not stop cleanly; everything else is down
   */
  async stop(): Promise<void> {
    await this.#beginStop()
  }

  /**
   * As `stop()`, but with each step's `terminate` where it has one; during a `stop()` this cuts short the step that is
   * being stopped.
   */
  async terminate(): Promise<void> {
    this.#terminate.abort()
    await this.#beginStop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Never rejects: its outcome is in `started`. */
  async #startSteps(started: Deferred<void>): Promise<void> {
    this.#state = 'starting'
    const enabled: Step<Parent>[] = []
    for (const step of this.steps) {
      try {
        if (isEnabled(step, this.#parent)) enabled.push(step)
      } catch (cause) {
        this.#fail({ step: step.name, phase: 'create', cause })
        return
      }
    }
    for (const phase of ['create', 'start'] as const) {
      for (const step of enabled) {
        if (this.#stopped !== undefined) return
        if (phase === 'create' && step.create === undefined) continue
        if (!(await this.#run(step, phase))) return
      }
    }
    if (this.#stopped !== undefined) return
    this.#state = 'running'
    started.resolve()
  }

  /** Creates or starts one step; false if that failed. */
  async #run(step: Step<Parent>, phase: 'create' | 'start'): Promise<boolean> {
    const fail = (cause: unknown): void => this.#fail({ step: step.name, phase: 'run', cause })
    const context = phase === 'create' ? undefined : { signal: this.#stop.signal, fail }
    const run = new StepRun(step, this.#parent, this.#limits, context)
    // On the record before the step hears of it: it may call stop() at once.
    this.#runs.push(run)
    try {
      await run.begin()
      return true
    } catch (cause) {
      this.#fail({ step: step.name, phase, cause })
      return false
    }
  }

  /** Ends it because a step failed; while it is stopping anyway, that only goes on the record. */
  #fail(failure: Failure): void {
    if (this.#stopped === undefined) {
      void this.#beginStop(failure)
      return
    }
    // A start that gives up because it was told to is no failure; start() rejects with it as the cause.
    if (failure.phase !== 'run') this.#interruptedBy = failure.cause
    else if (this.#state === 'stopping')
      this.#report(new StepFailedError(this.name, failure.step, 'run', failure.cause))
  }

  #beginStop(failure?: Failure): Promise<void> {
    if (this.#stopped === undefined) {
      // Set before anything else: an abort listener may call stop() again.
      this.#stopped = deferred()
      // Nobody may be waiting; what stop() returns is a promise of its own.
      this.#stopped.promise.catch(() => {})
      this.#state = 'stopping'
      this.#stop.abort(new BlueprintStoppedError(this.name))
      void this.#stopSteps(this.#stopped, failure)
    }
    return this.#stopped.promise
  }

  /** Never rejects: its outcome is in `stopped`, `closed` and, if still waiting, `started`. */
  async #stopSteps(stopped: Deferred<void>, failure: Failure | undefined): Promise<void> {
    const errors: CeleryError[] = []
    // None is added any more: starting checks `#stopped` before each.
    for (const run of this.#runs.toReversed()) {
      await run.end(this.#terminate.signal, (error) => {
        errors.push(error)
        this.#report(error)
      })
    }

    const stopError = errors.length === 0 ? undefined : new BlueprintStopError(this.name, errors)
    const failed = failure && new StepFailedError(this.name, failure.step, failure.phase, failure.cause, errors)
    this.#state = failed === undefined ? 'stopped' : 'failed'
    settle(this.#closed, failed ?? stopError)
    settle(stopped, stopError)
    this.#started?.reject(failed ?? this.#stoppedError())
  }

  #report(error: CeleryError): void {
    try {
      this.#onStopError?.(error)
    } catch (cause) {
      reportUncaught(cause)
    }
  }

  #stoppedError(): BlueprintStoppedError {
    const cause = this.#interruptedBy
    const wasTold = cause === undefined || cause === this.#stop.signal.reason
    return new BlueprintStoppedError(this.name, wasTold ? undefined : { cause })
  }
}

function isEnabled<Parent>(step: Step<Parent>, parent: Parent): boolean {
  return typeof step.enabled === 'function' ? step.enabled(parent) : (step.enabled ?? true)
}

function settle(outcome: Deferred<void>, error: Error | undefined): void {
  if (error === undefined) outcome.resolve()
  else outcome.reject(error)
}
