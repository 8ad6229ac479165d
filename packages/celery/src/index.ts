export {
  AlreadyRegisteredError,
  type CallOptions,
  type AppOptions,
  type Configuration,
  currentTask,
  DriverMissingError,
  Ignore,
  ImproperlyConfiguredError,
  NoBackendError,
  NoBrokerError,
  NotRegisteredError,
  Reject,
  type RemoteTask,
  type Settings,
  type SettingsInput,
  SoftTimeLimitExceededError,
  SyncSubtaskError,
  type Task,
  TaskArgumentsError,
  type TaskContext,
  type TaskOptions,
  type TaskRequest,
  TaskRevokedError,
  TimeLimitExceededError,
  WorkerLostError,
} from '@celery/app'
export { chain, Signature, signature } from '@celery/canvas'
export { AsyncResult, ResultTimeoutError } from '@celery/results'
export type { Logger, LogLevel, Worker, WorkerOptions } from '@celery/worker'
export { Celery } from './celery.ts'
