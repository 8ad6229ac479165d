import type { AppOptions, SettingsInput } from 'celery'
import { appFolder, type Setup } from './setup.ts'

/** How our side makes its app of what it is told, the client's as the worker's. */
export function celeryOptions({ backend, broker, queues, settings }: Setup): AppOptions {
  const all = { ...settings, ...(queues.length === 0 ? undefined : { task_queues: queues }) }
  return { broker, backend, root: appFolder, setAsCurrent: false, settings: all as SettingsInput }
}
