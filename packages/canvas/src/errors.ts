import { CeleryError } from '@celery/promises'

/** A signature was to be sent that was made without an application. */
export class DetachedSignatureError extends CeleryError {
  override readonly name = 'DetachedSignatureError'
  readonly code = 'ERR_CELERY_DETACHED_SIGNATURE'
  readonly task: string

  constructor(task: string) {
    super(
      `the signature of ${task} belongs to no application and cannot be sent; make it with app.signature() or task.s()`,
    )
    this.task = task
  }
}

/** An option of a call goes by another name. Nothing was sent. */
export class UnknownCallOptionError extends CeleryError {
  override readonly name = 'UnknownCallOptionError'
  readonly code = 'ERR_CELERY_UNKNOWN_CALL_OPTION'
  readonly option: string
  /** What it is most likely meant to be. */
  readonly meant: string

  constructor(option: string, meant: string, task?: string) {
    super(
      `a call${task === undefined ? '' : ` of ${task}`} has no option "${option}"; did you mean ${meant}? ` +
        'Properties of the message that are yours go into properties: {…}',
    )
    this.option = option
    this.meant = meant
  }
}

/** A chain of nothing. */
export class EmptyChainError extends CeleryError {
  override readonly name = 'EmptyChainError'
  readonly code = 'ERR_CELERY_EMPTY_CHAIN'

  constructor() {
    super('a chain needs at least one step')
  }
}

/** A composition that cannot be carried out here. The message must be set aside and not dropped, as its work would be lost. */
export class CompositeSignatureError extends CeleryError {
  override readonly name = 'CompositeSignatureError'
  readonly code = 'ERR_CELERY_COMPOSITE_SIGNATURE'
  /** `group`, `chord`, `xmap`, … */
  readonly kind: string
  readonly task: string

  constructor(kind: string, task: string) {
    super(`a ${kind} (${task}) cannot be run by this version; run it with a worker that knows it`)
    this.kind = kind
    this.task = task
  }
}
