import { CeleryError } from '@celery/promises'

/** A server that a test needs is not installed on this machine. */
export class MissingServerError extends CeleryError {
  override readonly name = 'MissingServerError'
  readonly code = 'ERR_CELERY_MISSING_SERVER'
  readonly server: string

  constructor(server: string, title: string, debian: readonly string[]) {
    super(
      `${title} is not installed; as root on Debian "npm run setup:servers" installs it, or by hand: ` +
        `apt-get install --no-install-recommends ${debian.join(' ')}`,
    )
    this.server = server
  }
}

/** A process ended, or said nothing of what was waited for, before it was ready. */
export class ProcessStartError extends CeleryError {
  override readonly name = 'ProcessStartError'
  readonly code = 'ERR_CELERY_PROCESS_START'
  readonly command: string
  /** The last of what it printed. */
  readonly output: string

  constructor(command: string, reason: string, output: string) {
    super(`${command} ${reason}; it printed:\n${output}`)
    this.command = command
    this.output = output
  }
}
