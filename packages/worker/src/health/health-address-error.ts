import { CeleryError } from '@celery/promises'

/** A worker cannot be asked how it is at the place that is meant for it: a port is taken, a folder belongs to someone else. */
export class HealthAddressError extends CeleryError {
  override readonly name = 'HealthAddressError'
  readonly code = 'ERR_CELERY_HEALTH_ADDRESS'
  /** Host and port, or a path. */
  readonly address: string
  readonly why: string

  constructor(address: string, why: string, options?: ErrorOptions) {
    super(`cannot use ${address} for the worker's health: ${why}`, options)
    this.address = address
    this.why = why
  }
}
