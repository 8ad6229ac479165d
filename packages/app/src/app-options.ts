import type { CeleryApp } from './celery-app.ts'
import type { SettingsInput } from './configuration.ts'

export interface AppOptions {
  /** Broker URL, or several for failover. What the environment says in `CELERY_BROKER_URL` goes before it. @defaultValue the embedded broker */
  readonly broker?: string | readonly string[]
  /** Result backend URL. What the environment says in `CELERY_RESULT_BACKEND` goes before it. @defaultValue none; with the embedded broker, the same file */
  readonly backend?: string
  /** Modules that a worker imports. */
  readonly include?: readonly string[]
  /** Settings that go before those of `configFromObject()`. */
  readonly settings?: SettingsInput
  /** Folder from which the embedded broker's file, driver packages and tasks are found. @defaultValue the working directory */
  readonly root?: string
  /** Makes it the app of `currentApp()`. @defaultValue `true` */
  readonly setAsCurrent?: boolean
  /** Finalizes it when its registry is first looked into; else that is an error until `finalize()`. @defaultValue `true` */
  readonly autofinalize?: boolean
  /** Plug-ins, called with the app when it is made. What one throws is told to `notify`, and the app goes on without it. */
  readonly fixups?: readonly ((app: CeleryApp) => void)[]
  /** Told what a user should know: the embedded broker's file, a setting without effect. @defaultValue standard error */
  readonly notify?: (message: string) => void
}
