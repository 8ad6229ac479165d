import type { PublishRetryPolicy } from '@celery/messaging'

/**
 * The settings that have an effect, with Celery's names in camelCase (snake_case is accepted too) and Celery's units:
 * seconds unless the name ends in its unit.
 */
export interface Settings {
  /** Where messages go: a URL, several for failover, or `undefined` for the embedded broker. @defaultValue `undefined` */
  brokerUrl: string | readonly string[] | undefined
  /** Given to the broker's driver. @defaultValue `{}` */
  brokerTransportOptions: Readonly<Record<string, unknown>>
  /** Where results go: a URL; `undefined` keeps none, except that the embedded broker keeps them beside the messages. @defaultValue `undefined` */
  resultBackend: string | undefined
  /** Given to the result store's driver. @defaultValue `{}` */
  resultBackendTransportOptions: Readonly<Record<string, unknown>>
  /** Seconds after which a result may be forgotten; 0 or `null` keeps it. @defaultValue `86_400` */
  resultExpires: number | null
  /** Stores name, arguments, worker, retries and queue with each result. @defaultValue `false` */
  resultExtended: boolean
  /** Serializers, by name or content type, that a worker decodes. @defaultValue `['json']` */
  acceptContent: readonly string[]
  /** @defaultValue `'json'` */
  taskSerializer: string
  /** Compression of task messages, by name. @defaultValue `undefined` */
  taskCompression: string | undefined
  /** Queue of tasks without a route. @defaultValue `'celery'` */
  taskDefaultQueue: string
  /** Which queue a task goes to: names or globs (`'video.*'`) to routes. @defaultValue `undefined` */
  taskRoutes: Readonly<Record<string, string | TaskRoute>> | undefined
  /** 0 to 9; on the embedded broker and RabbitMQ the highest runs first. @defaultValue `undefined` */
  taskDefaultPriority: number | undefined
  /** Stores neither states nor results. @defaultValue `false` */
  taskIgnoreResult: boolean
  /** Stores errors although results are ignored. @defaultValue `false` */
  taskStoreErrorsEvenIfIgnored: boolean
  /** Stores STARTED when a task starts. @defaultValue `false` */
  taskTrackStarted: boolean
  /** Acknowledges after the task ran instead of just before. @defaultValue `false` */
  taskAcksLate: boolean
  /** With late acks: puts the message back when the process that ran it died. @defaultValue `false` */
  taskRejectOnWorkerLost: boolean
  /** With late acks: acknowledges also what failed or timed out; else it is dead-lettered. @defaultValue `true` */
  taskAcksOnFailureOrTimeout: boolean
  /** Hard limit in seconds: the process that runs the task is killed. @defaultValue `undefined` */
  taskTimeLimit: number | undefined
  /** Soft limit in seconds: the task's signal aborts. @defaultValue `undefined` */
  taskSoftTimeLimit: number | undefined
  /** Tries again when the broker is away while publishing. @defaultValue `true` */
  taskPublishRetry: boolean
  /** How often and when. @defaultValue `{ maxRetries: 3, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 }` */
  taskPublishRetryPolicy: PublishRetryPolicy
  /** Refuses `get()` inside a task, which can wait for itself. @defaultValue `true` */
  taskDisableSyncSubtasks: boolean
  /** `prefork`, `async` (or `gevent`, `eventlet`) … @defaultValue `'prefork'` */
  workerPool: string
  /** Tasks run at the same time. @defaultValue number of processors */
  workerConcurrency: number | undefined
  /** Messages fetched ahead for each slot. @defaultValue `4` */
  workerPrefetchMultiplier: number
  /** Replaces a pool process after so many tasks. @defaultValue `undefined` */
  workerMaxTasksPerChild: number | undefined
  /** Replaces a pool process above so many KiB of resident memory. @defaultValue `undefined` */
  workerMaxMemoryPerChild: number | undefined
  /** Modules that a worker imports. @defaultValue `[]` */
  imports: readonly string[]
  /** Modules that a worker imports after `imports`. @defaultValue `[]` */
  include: readonly string[]

  /** `'safe'`: late acks, requeue on a lost worker up to `maxRedeliveries`, nothing prefetched. Ours. @defaultValue `'celery'` */
  reliability: 'celery' | 'safe'
  /**
   * Milliseconds of work for which a worker may hold more messages than the prefetch multiplier says, while tasks are
   * short; 0 holds to the multiplier. Ours. @defaultValue `25`
   */
  prefetchAheadMs: number
  /** Milliseconds that a fetched message stays ours without renewal. Ours. @defaultValue `30_000` */
  leaseMs: number
  /** Milliseconds after which an unconfirmed publish rejects. Ours. @defaultValue `10_000` */
  publishTimeoutMs: number
  /** How often a message may come back from lost workers before it is dead-lettered. Ours. @defaultValue `5` */
  maxRedeliveries: number
}

export interface TaskRoute {
  readonly queue?: string
  readonly exchange?: string
  readonly routingKey?: string
  readonly priority?: number
}

export const defaultSettings: Readonly<Settings> = {
  brokerUrl: undefined,
  brokerTransportOptions: {},
  resultBackend: undefined,
  resultBackendTransportOptions: {},
  resultExpires: 86_400,
  resultExtended: false,
  acceptContent: ['json'],
  taskSerializer: 'json',
  taskCompression: undefined,
  taskDefaultQueue: 'celery',
  taskRoutes: undefined,
  taskDefaultPriority: undefined,
  taskIgnoreResult: false,
  taskStoreErrorsEvenIfIgnored: false,
  taskTrackStarted: false,
  taskAcksLate: false,
  taskRejectOnWorkerLost: false,
  taskAcksOnFailureOrTimeout: true,
  taskTimeLimit: undefined,
  taskSoftTimeLimit: undefined,
  taskPublishRetry: true,
  taskPublishRetryPolicy: { maxRetries: 3, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 },
  taskDisableSyncSubtasks: true,
  workerPool: 'prefork',
  workerConcurrency: undefined,
  workerPrefetchMultiplier: 4,
  workerMaxTasksPerChild: undefined,
  workerMaxMemoryPerChild: undefined,
  imports: [],
  include: [],
  reliability: 'celery',
  prefetchAheadMs: 25,
  leaseMs: 30_000,
  publishTimeoutMs: 10_000,
  maxRedeliveries: 5,
}
