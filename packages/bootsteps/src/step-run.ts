import { abortable, type CeleryError, type Clock, deferred, withDeadline } from '@celery/promises'
import { StepFailedError, StepStopTimeoutError } from './lifecycle-errors.ts'
import type { Step, StepContext } from './step.ts'

/** What the blueprint says about stopping its steps. */
export interface StopLimits {
  readonly blueprint: string
  readonly stopTimeoutMs: number | undefined
  readonly clock: Clock | undefined
}

/**
 * One step being created, or being started and later stopped; without a context it is only created.
 *
 * `end()` may come at any time after `begin()`, also while that is under way.
 */
export class StepRun<Parent> {
  readonly #step: Step<Parent>
  readonly #parent: Parent
  readonly #limits: StopLimits
  readonly #context: StepContext | undefined
  /** Whether it began, once that is known. */
  readonly #begun = deferred<boolean>()
  #pending = true

  constructor(step: Step<Parent>, parent: Parent, limits: StopLimits, context: StepContext | undefined) {
    this.#step = step
    this.#parent = parent
    this.#limits = limits
    this.#context = context
  }

  /** Creates or starts the step; rejects with the step's own error. */
  async begin(): Promise<void> {
    try {
      if (this.#context === undefined) await this.#step.create?.(this.#parent)
      else await this.#step.start(this.#parent, this.#context)
      this.#begun.resolve(true)
    } catch (error) {
      this.#begun.resolve(false)
      throw error
    } finally {
      this.#pending = false
    }
  }

  /**
   * Resolves when the step is down or given up, and never rejects: what goes wrong is handed to `report`.
   *
   * Waits for a step that is still starting as part of stopping it, so that the same limits hold for both.
   */
  async end(terminate: AbortSignal, report: (error: CeleryError) => void): Promise<void> {
    const canTerminate = this.#context !== undefined && this.#step.terminate !== undefined
    if (!canTerminate || !terminate.aborted || this.#pending) {
      // With nothing to terminate, a request to be quick changes nothing.
      const cutShort = canTerminate ? terminate : undefined
      try {
        await this.#inTime('stop', abortable(this.#stop(), cutShort))
        return
      } catch (error) {
        if (cutShort?.aborted !== true || error !== cutShort.reason) report(this.#wrap('stop', error))
      }
    }
    if (!canTerminate) return
    try {
      await this.#inTime('terminate', this.#terminate())
    } catch (error) {
      report(this.#wrap('terminate', error))
    }
  }

  async #stop(): Promise<void> {
    const hasBegun = await this.#begun.promise
    if (hasBegun && this.#context !== undefined) await this.#step.stop(this.#parent)
  }

  /** Async, so that a step that throws at once rejects like any other. */
  async #terminate(): Promise<void> {
    await this.#step.terminate?.(this.#parent)
  }

  #inTime(phase: 'stop' | 'terminate', work: Promise<void>): Promise<void> {
    const { blueprint, stopTimeoutMs, clock } = this.#limits
    const timeoutMs = this.#step.stopTimeoutMs ?? stopTimeoutMs ?? Number.POSITIVE_INFINITY
    const late = (): Error => new StepStopTimeoutError(blueprint, this.#step.name, phase, timeoutMs)
    return withDeadline(work, timeoutMs, late, { clock })
  }

  #wrap(phase: 'stop' | 'terminate', error: unknown): CeleryError {
    if (error instanceof StepStopTimeoutError) return error
    return new StepFailedError(this.#limits.blueprint, this.#step.name, phase, error)
  }
}
