export { type ApplyOptions, type CallOptions, UnknownCallOptionError } from '@celery/canvas'
export type { ConfigModuleOptions, ConfigSourceOptions } from './app-configuration.ts'
export type { AppConnectionOptions } from './app-connections.ts'
export type { AppEvent } from './app-event.ts'
export type { DiscoverOptions, TaskFolders } from './app-modules.ts'
export type { AppOptions } from './app-options.ts'
export type {
  AfterTaskPublishEvent,
  AppSignals,
  BeforeTaskPublishEvent,
  TaskEvent,
  TaskFailureEvent,
  TaskPostrunEvent,
  TaskRejectedEvent,
  TaskRetryEvent,
  TaskRevokedEvent,
  TaskSuccessEvent,
  TaskUnknownEvent,
} from './app-signals.ts'
export {
  AppClosedError,
  NotRegisteredError,
  OperationalError,
  QueueNotFoundError,
  SyncSubtaskError,
  TaskArgumentsError,
  TaskOptionError,
} from './call-errors.ts'
export { CeleryApp, CeleryApp as Celery } from './celery-app.ts'
export { parseConfigOverrides } from './config-overrides.ts'
export type { Configuration, SettingExtras, SettingsInput, ShowSettingsOptions } from './configuration.ts'
export { appOrDefault, currentApp } from './current-app.ts'
export { currentTask, getTaskLogger } from './current-task.ts'
export type {
  DeadLetterListOptions,
  DeadLetterSelection,
  DeadLetters,
  RequeueResult,
} from './dead-letters.ts'
export type { NamedTaskQueue, TaskQueueOptions, TaskQueuesSetting } from './described-queue.ts'
export type { DeadLetter } from './read-dead-letter.ts'
export type { RequestFailure, RequestHandlers, RequestTimeout } from './request-handlers.ts'
export type { RetryOptions } from './retry-options.ts'
export {
  MaxRetriesExceededError,
  SoftTimeLimitExceededError,
  TaskRevokedError,
  TimeLimitExceededError,
  WorkerLostError,
} from './run-errors.ts'
export { Ignore, Reject, Retry } from './run-requests.ts'
export type { Settings } from './settings.ts'
export {
  AlreadyRegisteredError,
  AppNotFoundError,
  DriverMissingError,
  ImproperlyConfiguredError,
  InvalidNodeNameError,
  ModuleNotFoundError,
  NoBackendError,
  NoBrokerError,
  UnreadableModuleError,
} from './setup-errors.ts'
export { sharedTask } from './shared-task.ts'
export type { ConnectOptions, Receiver, Signal, SignalEvent } from './signal.ts'
export type { ArgumentsSchema, StandardSchema } from './standard-schema.ts'
export {
  type AnnotationSource,
  type ApplyTaskOptions,
  type ErrorMatch,
  type KwargsOf,
  type NoKwargs,
  type RateLimit,
  type RemoteTask,
  type SendOptions,
  type SendRetryPolicy,
  type Task,
  type TaskAnnotation,
  type TaskAnnotations,
  TaskBase,
  type TaskExtras,
  type TaskFunction,
  type TaskOptions,
} from './task.ts'
export type { TaskContext, UpdateStateOptions } from './task-context.ts'
export type { TaskHandlers } from './task-handlers.ts'
export type { LogLevel, TaskLog, TaskLogger, TaskLogRecord } from './task-logger.ts'
export type { TaskObject } from './task-object.ts'
export { TaskQueues } from './task-queues.ts'
export type { TaskRegistry } from './task-registry.ts'
export type { TaskRequest } from './task-request.ts'
export type {
  RoutedTask,
  RoutePattern,
  RouterFunction,
  RouterObject,
  RouteTable,
  RouteTarget,
  TaskRoute,
  TaskRouter,
  TaskRoutes,
} from './task-routes.ts'
export { workerDirect } from './worker-direct.ts'
