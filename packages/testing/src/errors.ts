import { CeleryError } from '@celery/promises'

/** What was waited for did not come: a task does not end, or nobody takes what lies in a queue. */
export class NotIdleError extends CeleryError {
  override readonly name = 'NotIdleError'
  readonly code = 'ERR_CELERY_NOT_IDLE'
  /** Tasks that still run. */
  readonly running: readonly string[]

  constructor(what: string, timeoutMs: number, running: readonly string[], more: string) {
    const list = running.length === 0 ? '' : `; still running: ${running.join(', ')}`
    super(`${what} within ${timeoutMs} ms${list}${more}`)
    this.running = running
  }
}

/** Tasks send each other, or themselves, again and again. */
export class EndlessTasksError extends CeleryError {
  override readonly name = 'EndlessTasksError'
  readonly code = 'ERR_CELERY_ENDLESS_TASKS'
  readonly maxRuns: number

  constructor(maxRuns: number, last: string | undefined) {
    super(
      `more than ${maxRuns} tasks ran and the queues are not empty, the last one was ${last}; ` +
        'does it send itself again? Otherwise ask for more: drain({ maxRuns })',
    )
    this.maxRuns = maxRuns
  }
}

/** The test wants time to move, on a clock that moves by itself. */
export class ClockNotMovableError extends CeleryError {
  override readonly name = 'ClockNotMovableError'
  readonly code = 'ERR_CELERY_CLOCK_NOT_MOVABLE'

  constructor() {
    super('the clock of this test moves by itself; leave the option `clock` out, or give a ManualClock')
  }
}
