import { CeleryError } from '@celery/promises'

/**
 * A driver did not close its connection in time, and was left behind. What it still held comes back to the queues when the
 * broker finds it gone: with its leases, or with this process.
 */
export class CloseTimeoutError extends CeleryError {
  override readonly name = 'CloseTimeoutError'
  readonly code = 'ERR_CELERY_CLOSE_TIMEOUT'
  /** Broker address with the password masked. */
  readonly address: string
  readonly timeoutMs: number

  constructor(address: string, timeoutMs: number) {
    super(
      `the connection to ${address} did not close within ${timeoutMs} ms and was left behind; ` +
        'what it held comes back when the broker finds it gone',
    )
    this.address = address
    this.timeoutMs = timeoutMs
  }
}
