export {
  AlreadyRegisteredError,
  AppClosedError,
  type AppOptions,
  type AppSignals,
  appOrDefault,
  type CallOptions,
  type Configuration,
  currentApp,
  currentTask,
  DriverMissingError,
  type ErrorMatch,
  getTaskLogger,
  Ignore,
  ImproperlyConfiguredError,
  type KwargsOf,
  MaxRetriesExceededError,
  ModuleNotFoundError,
  NoBackendError,
  NoBrokerError,
  type NoKwargs,
  NotRegisteredError,
  parseConfigOverrides,
  Reject,
  type RemoteTask,
  Retry,
  type RetryOptions,
  type Settings,
  type SettingsInput,
  SoftTimeLimitExceededError,
  SyncSubtaskError,
  sharedTask,
  type Task,
  type TaskAnnotation,
  type TaskAnnotations,
  TaskArgumentsError,
  TaskBase,
  type TaskContext,
  type TaskHandlers,
  type TaskLogger,
  TaskOptionError,
  type TaskOptions,
  type TaskRequest,
  TaskRevokedError,
  type TaskRoute,
  TimeLimitExceededError,
  WorkerLostError,
} from '@celery/app'
export { BackendUnavailableError, UnknownBackendError } from '@celery/backend'
export {
  type AnyArgs,
  CompositeSignatureError,
  chain,
  DetachedSignatureError,
  EmptyChainError,
  Signature,
  signature,
} from '@celery/canvas'
export { PublishTimeoutError } from '@celery/messaging'
export { CeleryError } from '@celery/promises'
export { InvalidTaskMessageError, RemoteTaskError, TaskMessageTooLargeError } from '@celery/protocol'
export { AsyncResult, type GetOptions, ResultTimeoutError, type TaskMeta } from '@celery/results'
export { EncodeError, UnknownCompressionError, UnknownSerializerError } from '@celery/serialization'
export {
  BrokerBusyError,
  ConnectionLostError,
  InvalidBrokerUrlError,
  UnknownTransportError,
  UnroutableError,
} from '@celery/transport'
export { AppNotFoundError, type Logger, type LogLevel, type Worker, type WorkerOptions } from '@celery/worker'
export { Celery } from './celery.ts'
