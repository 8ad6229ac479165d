export type { CallOptions } from '@celery/canvas'
export {
  AlreadyRegisteredError,
  AppClosedError,
  DriverMissingError,
  Ignore,
  ImproperlyConfiguredError,
  ModuleNotFoundError,
  NoBackendError,
  NoBrokerError,
  NotRegisteredError,
  Reject,
  SoftTimeLimitExceededError,
  SyncSubtaskError,
  TaskArgumentsError,
  TaskOptionError,
  TaskRevokedError,
  TimeLimitExceededError,
  WorkerLostError,
} from './app-errors.ts'
export { type AppOptions, CeleryApp, CeleryApp as Celery } from './celery-app.ts'
export type { Configuration, SettingsInput } from './configuration.ts'
export type { Settings, TaskRoute } from './settings.ts'
export type { KwargsOf, NoKwargs, RemoteTask, Task, TaskOptions } from './task.ts'
export { currentTask, type TaskContext, type TaskRequest } from './task-context.ts'
