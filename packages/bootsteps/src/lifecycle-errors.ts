import { CeleryError } from '@celery/promises'

/** When a step failed. */
export type StepPhase = 'create' | 'start' | 'run' | 'stop' | 'terminate'

const WHAT: Readonly<Record<StepPhase, string>> = {
  create: 'could not be created',
  start: 'could not be started',
  run: 'failed while running',
  stop: 'could not be stopped',
  terminate: 'could not be terminated',
}

/** A step failed; `cause` is its own error. */
export class StepFailedError extends CeleryError {
  override readonly name = 'StepFailedError'
  readonly code = 'ERR_CELERY_STEP_FAILED'
  readonly blueprint: string
  readonly step: string
  readonly phase: StepPhase
  /** What went wrong while the other steps were stopped for this reason; mostly empty. */
  readonly stopErrors: readonly CeleryError[]

  constructor(
    blueprint: string,
    step: string,
    phase: StepPhase,
    cause: unknown,
    stopErrors: readonly CeleryError[] = [],
  ) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`step '${step}' of ${blueprint} ${WHAT[phase]}: ${why}`, { cause })
    this.blueprint = blueprint
    this.step = step
    this.phase = phase
    this.stopErrors = stopErrors
  }
}

/** A step did not stop in its time. It was terminated if it can be, else left behind. */
export class StepStopTimeoutError extends CeleryError {
  override readonly name = 'StepStopTimeoutError'
  readonly code = 'ERR_CELERY_STEP_STOP_TIMEOUT'
  readonly blueprint: string
  readonly step: string
  readonly phase: StepPhase
  readonly timeoutMs: number

  constructor(blueprint: string, step: string, phase: 'stop' | 'terminate', timeoutMs: number) {
    const action = phase === 'stop' ? 'stop' : 'terminate'
    super(`step '${step}' of ${blueprint} did not ${action} within ${timeoutMs} ms`)
    this.blueprint = blueprint
    this.step = step
    this.phase = phase
    this.timeoutMs = timeoutMs
  }
}

/** Everything was stopped, but some steps made trouble; one error each. */
export class BlueprintStopError extends CeleryError {
  override readonly name = 'BlueprintStopError'
  readonly code = 'ERR_CELERY_BLUEPRINT_STOP'
  readonly blueprint: string
  readonly errors: readonly CeleryError[]

  constructor(blueprint: string, errors: readonly CeleryError[]) {
    super(`${blueprint} did not stop cleanly: ${errors.map((error) => error.message).join('; ')}`, {
      cause: new AggregateError(errors),
    })
    this.blueprint = blueprint
    this.errors = errors
  }
}

/** The blueprint was told to stop before it had started, or cannot start because it has stopped. Make a new one. */
export class BlueprintStoppedError extends CeleryError {
  override readonly name = 'BlueprintStoppedError'
  readonly code = 'ERR_CELERY_BLUEPRINT_STOPPED'
  readonly blueprint: string

  constructor(blueprint: string, options?: ErrorOptions) {
    super(`${blueprint} was told to stop; make a new one to start again`, options)
    this.blueprint = blueprint
  }
}
