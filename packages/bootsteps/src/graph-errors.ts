import { CeleryError } from '@celery/promises'

/** Steps require each other in a circle, so none of them can be the first. */
export class BootstepCircleError extends CeleryError {
  override readonly name = 'BootstepCircleError'
  readonly code = 'ERR_CELERY_BOOTSTEP_CIRCLE'
  /** Each requires the next; the first name comes again at the end. */
  readonly circle: readonly string[]

  constructor(circle: readonly string[]) {
    super(`steps require each other in a circle: ${circle.join(' -> ')}; remove one of these requirements`)
    this.circle = circle
  }
}

/** A step requires one that the blueprint does not have. */
export class UnknownRequirementError extends CeleryError {
  override readonly name = 'UnknownRequirementError'
  readonly code = 'ERR_CELERY_BOOTSTEP_UNKNOWN_REQUIREMENT'
  readonly step: string
  readonly requirement: string
  readonly known: readonly string[]

  constructor(step: string, requirement: string, known: readonly string[]) {
    super(`step '${step}' requires '${requirement}', which is not a step; there are: ${known.join(', ')}`)
    this.step = step
    this.requirement = requirement
    this.known = known
  }
}

/** Two steps of one blueprint have the same name. */
export class DuplicateStepError extends CeleryError {
  override readonly name = 'DuplicateStepError'
  readonly code = 'ERR_CELERY_BOOTSTEP_DUPLICATE'
  readonly step: string

  constructor(step: string) {
    super(`there are two steps named '${step}'; rename or remove one`)
    this.step = step
  }
}
