import type { BackendDriver } from '@celery/backend'
import type { Clock } from '@celery/promises'
import type { Transport } from '@celery/transport'
import type { SettingsInput } from './configuration.ts'

/** What stands in for the world around an app while it is tested. */
export interface Surroundings {
  /** In the place of every broker, whatever its URL. */
  readonly transport: Transport
  /** In the place of every result store, whatever its URL. */
  readonly backend: BackendDriver
  /** Says when a call is due, when it expires, how long it may run, and when it has ended. */
  readonly clock: Clock
  /** Over all others. */
  readonly settings: SettingsInput
}
