export {
  AlreadyRegisteredError,
  AppClosedError,
  type AppOptions,
  type CallOptions,
  type Configuration,
  currentTask,
  DriverMissingError,
  Ignore,
  ImproperlyConfiguredError,
  type KwargsOf,
  ModuleNotFoundError,
  NoBackendError,
  NoBrokerError,
  type NoKwargs,
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
