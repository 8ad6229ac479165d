export { type ApplyOptions, type CallOptions, UnknownCallOptionError } from '@celery/canvas'
export type { ConfigModuleOptions, ConfigSourceOptions } from './app-configuration.ts'
export type { AppConnectionOptions } from './app-connections.ts'
export {
  AlreadyRegisteredError,
  AppClosedError,
  AppNotFoundError,
  DriverMissingError,
  Ignore,
  ImproperlyConfiguredError,
  InvalidNodeNameError,
  MaxRetriesExceededError,
  ModuleNotFoundError,
  NoBackendError,
  NoBrokerError,
  NotRegisteredError,
  OperationalError,
  QueueNotFoundError,
  Reject,
  Retry,
  SoftTimeLimitExceededError,
  SyncSubtaskError,
  TaskArgumentsError,
  TaskOptionError,
  TaskRevokedError,
  TimeLimitExceededError,
  WorkerLostError,
} from './app-errors.ts'
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
export { CeleryApp, CeleryApp as Celery } from './celery-app.ts'
export { parseConfigOverrides } from './config-overrides.ts'
export type { Configuration, SettingsInput, ShowSettingsOptions } from './configuration.ts'
export { appOrDefault, currentApp } from './current-app.ts'
export type {
  DeadLetter,
  DeadLetterListOptions,
  DeadLetterSelection,
  DeadLetters,
  RequeueResult,
} from './dead-letters.ts'
export type { RequestFailure, RequestHandlers, RequestTimeout } from './request-handlers.ts'
export type { Settings } from './settings.ts'
export { sharedTask } from './shared-task.ts'
export type { ConnectOptions, Receiver, Signal, SignalEvent } from './signal.ts'
export type { ArgumentsSchema, StandardSchema } from './standard-schema.ts'
export {
  type AnnotationSource,
  type ApplyTaskOptions,
  type ErrorMatch,
  type KwargsOf,
  type NoKwargs,
  type RemoteTask,
  type RetryOptions,
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
export {
  currentTask,
  getTaskLogger,
  type TaskContext,
  type TaskRequest,
  type UpdateStateOptions,
} from './task-context.ts'
export type { TaskHandlers } from './task-handlers.ts'
export type { LogLevel, TaskLog, TaskLogger, TaskLogRecord } from './task-logger.ts'
export type { TaskObject } from './task-object.ts'
export { type NamedTaskQueue, type TaskQueueOptions, TaskQueues, type TaskQueuesSetting } from './task-queues.ts'
export type { TaskRegistry } from './task-registry.ts'
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
