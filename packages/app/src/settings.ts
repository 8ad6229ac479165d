import type { SettingDefinition, SettingKinds } from './setting-kinds.ts'

/**
 * Every setting, with Celery's names in camelCase and Celery's units: seconds unless the name ends in its unit. The types,
 * the checks, the defaults and `docs/settings.md` are made of this table; the comments are the documentation.
 */
const settingTable = {
  // General, time
  /** Serializers, by name or content type, that a worker decodes. */
  acceptContent: { kind: 'list', default: ['json'] },
  /** Serializers, by name or content type, that are decoded from the result store; else those of `acceptContent`, and `resultSerializer`. */
  resultAcceptContent: { kind: 'list', default: undefined },
  /** Times without a zone, in received messages of protocol 1 whose sender does not use UTC, are in UTC, unless `timezone` is set; else in the zone of the process. What is sent is in UTC in any case. */
  enableUtc: { kind: 'boolean', default: true },
  /** IANA name of the zone of times without one, in received messages of protocol 1 whose sender does not use UTC. Schedules of beat will be read in it; logs are in UTC. */
  timezone: { kind: 'text', default: undefined },
  /** Modules that a worker imports. */
  imports: { kind: 'list', default: [] },
  /** Modules that a worker imports after `imports`. */
  include: { kind: 'list', default: [] },

  // Tasks
  /** Options and handlers that are laid over those of tasks: names or `'*'` to options, a function of name and options, or a list of these. */
  taskAnnotations: { kind: 'annotations', default: undefined },
  /** Compression of task messages, by name. */
  taskCompression: { kind: 'text', default: undefined },
  /** Version of the task messages that are sent. */
  taskProtocol: { kind: 'choice', choices: [1, 2], default: 2 },
  /** The oldest Celery among the programs of the fleet, whichever language: governs every form that differs between versions. All forms are read. */
  fleetVersion: { kind: 'choice', choices: ['4.3', '5.2', '5.6'], default: '5.6', ours: true },
  /** Serializer of tasks, by name. */
  taskSerializer: { kind: 'text', default: 'json' },
  /** Tries again when the broker is away while publishing. */
  taskPublishRetry: { kind: 'boolean', default: true },
  /** How often and when: `{ maxRetries, intervalStart, intervalStep, intervalMax }`, in seconds. */
  taskPublishRetryPolicy: {
    kind: 'retryPolicy',
    default: { maxRetries: 3, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 },
  },
  /** `delay` and `applyAsync` run the task here and now; its arguments still travel through the serializer. */
  taskAlwaysEager: { kind: 'boolean', default: false },
  /** A task that is run eagerly throws its error. */
  taskEagerPropagates: { kind: 'boolean', default: false },
  /** Stores results of tasks that are run eagerly. */
  taskStoreEagerResult: { kind: 'boolean', default: false },
  /** Errors that `get()` throws carry the worker's stack. */
  taskRemoteTracebacks: { kind: 'boolean', default: false },
  /** Stores neither states nor results. */
  taskIgnoreResult: { kind: 'boolean', default: false },
  /** Stores errors although results are ignored. */
  taskStoreErrorsEvenIfIgnored: { kind: 'boolean', default: false },
  /** Stores STARTED when a task starts. */
  taskTrackStarted: { kind: 'boolean', default: false },
  /** Hard limit in seconds: the process that runs the task is killed. */
  taskTimeLimit: { kind: 'seconds', default: undefined },
  /** Soft limit in seconds: the task's signal aborts. */
  taskSoftTimeLimit: { kind: 'seconds', default: undefined },
  /** `linkError` on a chord is linked to the tasks of its header too. */
  taskAllowErrorCbOnChordHeader: { kind: 'boolean', default: false, later: true },
  /** Acknowledges after the task ran instead of just before. */
  taskAcksLate: { kind: 'boolean', default: false },
  /** With late acks: acknowledges also what failed or timed out; else it is dead-lettered. */
  taskAcksOnFailureOrTimeout: { kind: 'boolean', default: true },
  /** With late acks: acknowledges what failed; `false` dead-letters it. Not set: as `taskAcksOnFailureOrTimeout`. */
  taskAcksOnFailure: { kind: 'boolean', default: undefined },
  /** With late acks: acknowledges what timed out; `false` puts it back into its queue, and it has failed when that was `maxRedeliveries` times. Not set: as `taskAcksOnFailureOrTimeout`. */
  taskAcksOnTimeout: { kind: 'boolean', default: undefined },
  /** With late acks: puts the message back when the process that ran it died. */
  taskRejectOnWorkerLost: { kind: 'boolean', default: false },
  /** Rate limit of tasks without one of their own: `'10/m'`, or a number for each second. */
  taskDefaultRateLimit: { kind: 'rate', default: undefined },

  // Results
  /** Where results go: a URL; without one none are kept, except that the embedded broker keeps them beside the messages. */
  resultBackend: { kind: 'text', default: undefined },
  /** Tries again when the store is away, with growing pauses. */
  resultBackendAlwaysRetry: { kind: 'boolean', default: false, later: true },
  /** Longest of these pauses, in milliseconds. */
  resultBackendMaxSleepBetweenRetriesMs: { kind: 'milliseconds', default: 10_000, later: true },
  /** Shortest of these pauses, in milliseconds. */
  resultBackendBaseSleepBetweenRetriesMs: { kind: 'milliseconds', default: 10, later: true },
  /** How often it is tried again. */
  resultBackendMaxRetries: { kind: 'number', default: Number.POSITIVE_INFINITY as number, later: true },
  /** One store object for all threads. */
  resultBackendThreadSafe: { kind: 'boolean', default: false, declined: 'a program has one store object for an app' },
  /** Given to the result store's driver. */
  resultBackendTransportOptions: { kind: 'options', default: {} },
  /** Serializer of results, by name. */
  resultSerializer: { kind: 'text', default: 'json' },
  /** Compression of results, by name. Python programs read no compressed results. */
  resultCompression: { kind: 'text', default: undefined },
  /** Stores name, arguments, worker, retries and queue with each result. */
  resultExtended: { kind: 'boolean', default: false },
  /** Seconds after which a result may be forgotten; 0 or `null` keeps it. */
  resultExpires: { kind: 'seconds', default: 86_400, orNull: true },
  /** Results that a client remembers: -1 none, 0 or `null` all. */
  resultCacheMax: { kind: 'integer', default: -1, orNull: true, later: true },
  /** Seconds to wait for the parts of a chord. */
  resultChordJoinTimeout: { kind: 'seconds', default: 3, later: true },
  /** Seconds between looks at the parts of a chord, where the store cannot count them. */
  resultChordRetryInterval: { kind: 'seconds', default: 1, later: true },
  /** Exchange of results that are messages. */
  resultExchange: {
    kind: 'text',
    default: 'celeryresults',
    declined: 'results of that kind are messages of the old amqp store, which Celery removed in 5.0',
  },
  /** Its type. */
  resultExchangeType: {
    kind: 'text',
    default: 'direct',
    declined: 'results of that kind are messages of the old amqp store, which Celery removed in 5.0',
  },
  /** Results that are messages survive a restart of the broker. */
  resultPersistent: { kind: 'boolean', default: undefined, later: true },
  /** Names of result stores to what serves them instead. */
  overrideBackends: { kind: 'options', default: undefined, later: true },

  // Result stores
  /** URL of the database, when `resultBackend` has none. */
  databaseUrl: { kind: 'text', default: undefined, later: true },
  /** Given to the database's driver. */
  databaseEngineOptions: { kind: 'options', default: {}, later: true },
  /** Called with the engine. */
  databaseEngineCallback: {
    kind: 'any',
    default: undefined,
    declined: 'it is a hook of SQLAlchemy; pass options to the driver with databaseEngineOptions',
  },
  /** A session for each operation. */
  databaseShortLivedSessions: { kind: 'boolean', default: false, later: true },
  /** Schemas of the tables `task` and `group`. */
  databaseTableSchemas: { kind: 'options', default: {}, later: true },
  /** Names of the tables `task` and `group`. */
  databaseTableNames: { kind: 'options', default: {}, later: true },
  /** Creates the tables at the start instead of at the first use. */
  databaseCreateTablesAtSetup: { kind: 'boolean', default: true, later: true },
  /** Where a cache keeps results; the old way to say it. */
  cacheBackend: { kind: 'text', default: undefined, later: true },
  /** Given to the memcached driver. */
  cacheBackendOptions: { kind: 'options', default: {}, later: true },
  /** `database`, `taskmeta_collection`, `groupmeta_collection`, `max_pool_size`, `options`. */
  mongodbBackendSettings: { kind: 'options', default: undefined, later: true },
  /** TLS to Redis: `ssl_cert_reqs`, `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`. */
  redisBackendUseSsl: { kind: 'tls', default: undefined },
  /** Seconds between health checks. */
  redisBackendHealthCheckInterval: { kind: 'seconds', default: undefined },
  /** Gives user name and password. */
  redisBackendCredentialProvider: { kind: 'any', default: undefined, later: true },
  /** Host of Redis, where no URL is given. */
  redisHost: { kind: 'text', default: undefined, later: true },
  /** Its port. */
  redisPort: { kind: 'count', default: undefined, later: true },
  /** Database of Redis, where the URL has none. */
  redisDb: { kind: 'any', default: undefined },
  /** Password for Redis, where the URL has none. */
  redisPassword: { kind: 'text', default: undefined },
  /** User of Redis, where the URL has none. */
  redisUsername: { kind: 'text', default: undefined },
  /** Most connections to Redis. */
  redisMaxConnections: {
    kind: 'count',
    default: undefined,
    declined: 'a program has one connection for what it asks and one for what it waits for',
  },
  /** Seconds until a connection to Redis must be there. */
  redisSocketConnectTimeout: { kind: 'seconds', default: undefined },
  /** Seconds within which Redis must answer; then the connection is given up and the call repeated. 120 in Celery. */
  redisSocketTimeout: { kind: 'seconds', default: 10 },
  /** Tries again after such a timeout. */
  redisRetryOnTimeout: { kind: 'boolean', default: false, declined: 'it is always tried again' },
  /** TCP keep-alive. */
  redisSocketKeepalive: { kind: 'boolean', default: false, declined: 'it is always on' },
  /** Name that Redis shows. */
  redisClientName: { kind: 'text', default: undefined },
  /** Hosts. */
  cassandraServers: { kind: 'list', default: undefined, later: true },
  /** Secure bundle of Astra DB. */
  cassandraSecureBundlePath: { kind: 'text', default: undefined, later: true },
  /** Another name of `cassandraSecureBundlePath`. */
  cassandraBundlePath: { kind: 'text', default: undefined, later: true },
  /** Port. */
  cassandraPort: { kind: 'number', default: 9042, later: true },
  /** Key space. */
  cassandraKeyspace: { kind: 'text', default: undefined, later: true },
  /** Table. */
  cassandraTable: { kind: 'text', default: undefined, later: true },
  /** Such as `LOCAL_QUORUM`. */
  cassandraReadConsistency: { kind: 'text', default: undefined, later: true },
  /** Such as `LOCAL_QUORUM`. */
  cassandraWriteConsistency: { kind: 'text', default: undefined, later: true },
  /** Seconds after which a row is deleted. */
  cassandraEntryTtl: { kind: 'seconds', default: undefined, later: true },
  /** Name of the authentication provider. */
  cassandraAuthProvider: { kind: 'text', default: undefined, later: true },
  /** The provider's options. */
  cassandraAuthKwargs: { kind: 'options', default: {}, later: true },
  /** Given to the driver. */
  cassandraOptions: { kind: 'options', default: {}, later: true },
  /** Access key. */
  s3AccessKeyId: { kind: 'text', default: undefined, later: true },
  /** Secret key. */
  s3SecretAccessKey: { kind: 'text', default: undefined, later: true },
  /** Bucket. */
  s3Bucket: { kind: 'text', default: undefined, later: true },
  /** Key prefix. */
  s3BasePath: { kind: 'text', default: undefined, later: true },
  /** Endpoint of an S3-compatible service. */
  s3EndpointUrl: { kind: 'text', default: undefined, later: true },
  /** Region. */
  s3Region: { kind: 'text', default: undefined, later: true },
  /** Container. */
  azureblockblobContainerName: { kind: 'text', default: 'celery', later: true },
  /** Key prefix. */
  azureblockblobBasePath: { kind: 'text', default: '', later: true },
  /** Seconds before the first retry. */
  azureblockblobRetryInitialBackoffSec: { kind: 'seconds', default: 2, later: true },
  /** Each pause is so many times the one before. */
  azureblockblobRetryIncrementBase: { kind: 'count', default: 2, later: true },
  /** Most retries. */
  azureblockblobRetryMaxAttempts: { kind: 'count', default: 3, later: true },
  /** Seconds until a connection must be there. */
  azureblockblobConnectionTimeout: { kind: 'seconds', default: 20, later: true },
  /** Seconds for a read. */
  azureblockblobReadTimeout: { kind: 'seconds', default: 120, later: true },
  /** Bucket. */
  gcsBucket: { kind: 'text', default: undefined, later: true },
  /** Project. */
  gcsProject: { kind: 'text', default: undefined, later: true },
  /** Key prefix. */
  gcsBasePath: { kind: 'text', default: '', later: true },
  /** Seconds after which a result is deleted; needs a lifecycle rule of the bucket. */
  gcsTtl: { kind: 'seconds', default: 0, later: true },
  /** Operations at the same time. */
  gcsThreadpoolMaxsize: { kind: 'count', default: 10, later: true },
  /** Project of the Firestore that counts chords; else `gcsProject`. */
  firestoreProject: { kind: 'text', default: undefined, later: true },
  /** Tries another node after a timeout. */
  elasticsearchRetryOnTimeout: { kind: 'boolean', default: undefined, later: true },
  /** Most retries. */
  elasticsearchMaxRetries: { kind: 'count', default: undefined, later: true },
  /** Seconds for a request. */
  elasticsearchTimeout: { kind: 'seconds', default: undefined, later: true },
  /** Stores results as text. */
  elasticsearchSaveMetaAsText: { kind: 'boolean', default: true, later: true },
  /** Custom DynamoDB endpoint. */
  dynamodbEndpointUrl: { kind: 'text', default: undefined, later: true },
  /** `host`, `port`, `bucket`, `username`, `password`. */
  couchbaseBackendSettings: { kind: 'options', default: undefined, later: true },
  /** `host`, `port`, `database`, `collection`, `username`, `password`, `http_protocol`, `verify`. */
  arangodbBackendSettings: { kind: 'options', default: undefined, later: true },
  /** `host`, `port`, `bucket`, `protocol`. */
  riakBackendSettings: { kind: 'options', default: undefined, declined: 'Celery removed the Riak store in 5.0' },
  /** Database. */
  cosmosdbsqlDatabaseName: { kind: 'text', default: 'celerydb', later: true },
  /** Collection. */
  cosmosdbsqlCollectionName: { kind: 'text', default: 'celerycol', later: true },
  /** Consistency level. */
  cosmosdbsqlConsistencyLevel: {
    kind: 'choice',
    choices: ['Strong', 'BoundedStaleness', 'Session', 'ConsistentPrefix', 'Eventual'],
    default: 'Session',
    later: true,
  },
  /** Retries per request. */
  cosmosdbsqlMaxRetryAttempts: { kind: 'count', default: 9, later: true },
  /** Seconds that all retries of a request may take. */
  cosmosdbsqlMaxRetryWaitTime: { kind: 'seconds', default: 30, later: true },

  // Routing
  /** Queues that a worker consumes from, and that routes name: a list of queues, their names or objects, or names to objects. */
  taskQueues: { kind: 'queues', default: undefined },
  /** Where tasks go: names, globs (`'video.*'`) or regular expressions to routes, a function, its module, or a list of these. */
  taskRoutes: { kind: 'routes', default: undefined },
  /** Mirrored queues. */
  taskQueueHaPolicy: {
    kind: 'any',
    default: undefined,
    declined: 'RabbitMQ 4 has no mirrored queues; use quorum queues',
  },
  /** Priorities (`x-max-priority`) of queues that say nothing of it: 0 to 255, of which RabbitMQ advises at most 10. */
  taskQueueMaxPriority: { kind: 'priority', default: undefined },
  /** 0 to 255; the embedded broker and Redis take what is above 9 for 9. On the embedded broker and RabbitMQ the highest runs first. */
  taskDefaultPriority: { kind: 'priority', default: undefined },
  /** A task's children get its priority. */
  taskInheritParentPriority: { kind: 'boolean', default: false },
  /** Each worker has a queue of its own too. */
  workerDirect: { kind: 'boolean', default: false },
  /** Queues that are not among `taskQueues` are made as they are named. */
  taskCreateMissingQueues: { kind: 'boolean', default: true },
  /** Type of these queues. */
  taskCreateMissingQueueType: { kind: 'choice', choices: ['classic', 'quorum'], default: 'classic' },
  /** Type of their exchange. */
  taskCreateMissingQueueExchangeType: { kind: 'text', default: undefined },
  /** Queue of tasks without a route. */
  taskDefaultQueue: { kind: 'text', default: 'celery' },
  /** Type of the default queue. */
  taskDefaultQueueType: { kind: 'choice', choices: ['classic', 'quorum'], default: 'classic' },
  /** Exchange of queues without one; else `taskDefaultQueue`. */
  taskDefaultExchange: { kind: 'text', default: undefined },
  /** Its type. */
  taskDefaultExchangeType: { kind: 'text', default: 'direct' },
  /** Routing key of queues without one; else `taskDefaultQueue`. */
  taskDefaultRoutingKey: { kind: 'text', default: undefined },
  /** Whether messages survive a restart of the broker. */
  taskDefaultDeliveryMode: { kind: 'choice', choices: [1, 2, 'transient', 'persistent'], default: 2 },

  // Broker
  /** Where messages go: a URL, several for failover, or none for the embedded broker. */
  brokerUrl: { kind: 'urls', default: undefined },
  /** Broker to consume from; else `brokerUrl`. */
  brokerReadUrl: { kind: 'urls', default: undefined },
  /** Broker to publish to; else `brokerUrl`. */
  brokerWriteUrl: { kind: 'urls', default: undefined },
  /** Scheme of a broker URL without one. */
  brokerTransport: { kind: 'text', default: undefined, later: true },
  /** Host of a broker URL without one. */
  brokerHost: { kind: 'text', default: undefined, later: true },
  /** Its port. */
  brokerPort: { kind: 'count', default: undefined, later: true },
  /** Its user. */
  brokerUser: { kind: 'text', default: undefined, later: true },
  /** Its password. */
  brokerPassword: { kind: 'text', default: undefined, later: true },
  /** Its virtual host. */
  brokerVhost: { kind: 'text', default: undefined, later: true },
  /** Given to the broker's driver. Where `taskPublishRetryPolicy` is not set, `max_retries`, `interval_start`, `interval_step` and `interval_max` are taken from here, as kombu does. */
  brokerTransportOptions: { kind: 'transportOptions', default: {} },
  /** Order of several brokers: `'round-robin'`, `'shuffle'` or a function. */
  brokerFailoverStrategy: { kind: 'failover', default: undefined },
  /** Seconds between heartbeats on AMQP. */
  brokerHeartbeat: { kind: 'seconds', default: 120, orNull: true, later: true },
  /** Checks in each of these intervals. */
  brokerHeartbeatCheckrate: { kind: 'number', default: 3, later: true },
  /** TLS to the broker: `keyfile`, `certfile`, `ca_certs`, `cert_reqs`, or those of `redisBackendUseSsl`. */
  brokerUseSsl: { kind: 'tls', default: false },
  /** Most connections to the broker; 0 or `null`: no pool. */
  brokerPoolLimit: { kind: 'count', default: 10, orNull: true, later: true },
  /** Seconds to wait for one of them. */
  brokerPoolAcquireTimeout: { kind: 'seconds', default: undefined, later: true },
  /** Seconds until a connection must be there. */
  brokerConnectionTimeout: { kind: 'seconds', default: 4, later: true },
  /** Connects again after a loss. */
  brokerConnectionRetry: { kind: 'boolean', default: true, later: true },
  /** Tries again when the first connection fails; else as `brokerConnectionRetry`. */
  brokerConnectionRetryOnStartup: { kind: 'boolean', default: undefined, later: true },
  /** Most attempts; `null`: no limit. */
  brokerConnectionMaxRetries: { kind: 'count', default: 100, orNull: true, later: true },
  /** Connects again after an error of a channel too. */
  brokerChannelErrorRetry: { kind: 'boolean', default: false, later: true },
  /** Login method of AMQP. */
  brokerLoginMethod: { kind: 'text', default: undefined, later: true },
  /** Type of the queues that hold delayed tasks. */
  brokerNativeDelayedDeliveryQueueType: {
    kind: 'choice',
    choices: ['classic', 'quorum'],
    default: 'quorum',
    later: true,
  },

  // Worker
  /** An actor beside the consumer. */
  workerAgent: { kind: 'any', default: undefined, declined: 'there are no actors' },
  /** What grows and shrinks the pool. */
  workerAutoscaler: { kind: 'any', default: undefined, later: true },
  /** Ends tasks with late acks when the connection is lost. */
  workerCancelLongRunningTasksOnConnectionLoss: { kind: 'boolean', default: false, later: true },
  /** Seconds between a warm and a cold shutdown in which tasks may end; 0: none. */
  workerSoftShutdownTimeout: { kind: 'seconds', default: 0 },
  /** Waits so long also when nothing runs. */
  workerEnableSoftShutdownOnIdle: {
    kind: 'boolean',
    default: false,
    declined: 'delayed tasks stay with the broker: nothing is lost by an idle worker that stops',
  },
  /** Tasks run at the same time; else, and with 0, as many as there are processors. */
  workerConcurrency: { kind: 'count', default: undefined },
  /** What consumes. */
  workerConsumer: { kind: 'any', default: undefined, later: true },
  /** No rate limit holds. */
  workerDisableRateLimits: { kind: 'boolean', default: false },
  /** Does not run again what was delivered twice and succeeded; a task with callbacks or a next step in its chain is left out, and runs again so that they are surely sent. */
  workerDeduplicateSuccessfulTasks: { kind: 'boolean', default: false },
  /** Listens to control commands. */
  workerEnableRemoteControl: { kind: 'boolean', default: true, later: true },
  /** Replaces the root logger's handlers. */
  workerHijackRootLogger: { kind: 'boolean', default: true, declined: 'there is no root logger to replace' },
  /** Colours in the log; else where it is a terminal. */
  workerLogColor: { kind: 'boolean', default: undefined },
  /** How a line of the log looks. */
  workerLogFormat: { kind: 'text', default: undefined },
  /** How a line of a task's logger looks. */
  workerTaskLogFormat: { kind: 'text', default: undefined },
  /** Seconds to wait for the result of a process that died. */
  workerLostWait: {
    kind: 'seconds',
    default: 10,
    declined: 'what a dead process had written is read to its end, which needs no waiting',
  },
  /** Replaces a pool process above so many KiB of resident memory. */
  workerMaxMemoryPerChild: { kind: 'count', default: undefined },
  /** Replaces a pool process after so many tasks. */
  workerMaxTasksPerChild: { kind: 'count', default: undefined },
  /** `prefork`, `async` (or `gevent`, `eventlet`) … */
  workerPool: { kind: 'text', default: 'prefork' },
  /** Hands the pool no more than it can run. */
  workerPoolPutlocks: { kind: 'boolean', default: true, declined: 'the pool takes no more than it can run' },
  /** Allows the command `pool_restart`. */
  workerPoolRestarts: { kind: 'boolean', default: false, later: true },
  /** Seconds until a new process must be up. */
  workerProcAliveTimeout: { kind: 'seconds', default: 30 },
  /** Messages fetched ahead for each slot. */
  workerPrefetchMultiplier: { kind: 'count', default: 4 },
  /** Most messages that are held until their time. */
  workerEtaTaskLimit: { kind: 'count', default: undefined },
  /** Fetches only for free slots. */
  workerDisablePrefetch: { kind: 'boolean', default: false },
  /** Fetches less at first after a loss of the connection. */
  workerEnablePrefetchCountReduction: {
    kind: 'boolean',
    default: true,
    declined: 'running tasks keep their places in the prefetch window, which needs no reduction',
  },
  /** What tasks write to standard output goes to the log. */
  workerRedirectStdouts: {
    kind: 'boolean',
    default: true,
    declined: 'what a task prints goes where the output of its process goes; to the log goes what it logs',
  },
  /** At this level. */
  workerRedirectStdoutsLevel: { kind: 'text', default: 'WARNING', declined: 'nothing printed goes to the log' },
  /** Sends events of tasks. */
  workerSendTaskEvents: { kind: 'boolean', default: false, later: true },
  /** File for revoked ids and the clock. */
  workerStateDb: { kind: 'text', default: undefined, later: true },
  /** What holds tasks until their time. */
  workerTimer: { kind: 'any', default: undefined, declined: 'timers are of Node' },
  /** Seconds that it sleeps at most. */
  workerTimerPrecision: { kind: 'seconds', default: 1, declined: 'timers are of Node, precise to a millisecond' },
  /** Prefetches for each consumer where a queue is a quorum queue. */
  workerDetectQuorumQueues: { kind: 'boolean', default: true, later: true },
  /** Log file of `celery worker`. */
  workerLogfile: { kind: 'text', default: undefined },
  /** Pid file of `celery worker`. */
  workerPidfile: { kind: 'text', default: undefined },
  /** User that `celery worker` becomes. */
  workerUid: { kind: 'text', default: undefined },
  /** Group that `celery worker` becomes. */
  workerGid: { kind: 'text', default: undefined },
  /** Mask of the files that `celery worker` makes. */
  workerUmask: { kind: 'text', default: undefined },
  /** Interpreter of a detached `celery worker`. */
  workerExecutable: { kind: 'text', default: undefined, declined: 'a worker does not detach' },
  /** `celery worker` answers `celery health`. */
  workerHealth: { kind: 'boolean', default: true, ours: true },
  /** Port that answers HTTP requests for `/live`, `/ready` and `/metrics`. */
  workerHealthPort: { kind: 'count', default: undefined, ours: true },
  /** Address that this port is bound to. */
  workerHealthHost: { kind: 'text', default: '127.0.0.1', ours: true },

  // Events and control
  /** Clients send an event for each task. */
  taskSendSentEvent: { kind: 'boolean', default: false, later: true },
  /** Seconds that an event waits in a monitor's queue. */
  eventQueueTtl: { kind: 'seconds', default: 5, orNull: true, later: true },
  /** Seconds after which a queue without a monitor is deleted. */
  eventQueueExpires: { kind: 'seconds', default: 60, orNull: true, later: true },
  /** With which the names of these queues begin. */
  eventQueuePrefix: { kind: 'text', default: 'celeryev', later: true },
  /** These queues survive a restart of the broker. */
  eventQueueDurable: { kind: 'boolean', default: false, later: true },
  /** These queues have one consumer. */
  eventQueueExclusive: { kind: 'boolean', default: false, later: true },
  /** Exchange of events. */
  eventExchange: { kind: 'text', default: 'celeryev', later: true },
  /** Serializer of events, by name. */
  eventSerializer: { kind: 'text', default: 'json', later: true },
  /** Log file of `celery events`. */
  eventsLogfile: { kind: 'text', default: undefined, later: true },
  /** Pid file of `celery events`. */
  eventsPidfile: { kind: 'text', default: undefined, later: true },
  /** User that `celery events` becomes. */
  eventsUid: { kind: 'text', default: undefined, declined: 'let a supervisor such as systemd choose the user' },
  /** Group that `celery events` becomes. */
  eventsGid: { kind: 'text', default: undefined, declined: 'let a supervisor such as systemd choose the group' },
  /** Mask of the files that `celery events` makes. */
  eventsUmask: { kind: 'text', default: undefined, declined: 'the program does not detach; let a supervisor set it' },
  /** Interpreter of a detached `celery events`. */
  eventsExecutable: { kind: 'text', default: undefined, declined: 'the program does not detach' },
  /** Seconds that a command or a reply waits. */
  controlQueueTtl: { kind: 'seconds', default: 300, later: true },
  /** Seconds after which a queue of commands or replies without a consumer is deleted. */
  controlQueueExpires: { kind: 'seconds', default: 10, later: true },
  /** With which the names of the exchanges of commands begin. */
  controlExchange: { kind: 'text', default: 'celery', later: true },
  /** These queues survive a restart of the broker. */
  controlQueueDurable: { kind: 'boolean', default: false, later: true },
  /** These queues have one consumer. */
  controlQueueExclusive: { kind: 'boolean', default: false, later: true },

  // Security, beat
  /** File of the private key. */
  securityKey: { kind: 'text', default: undefined, later: true },
  /** That key's password. */
  securityKeyPassword: { kind: 'any', default: undefined, later: true },
  /** File of the certificate. */
  securityCertificate: { kind: 'text', default: undefined, later: true },
  /** Folder or glob of the certificates that are trusted. */
  securityCertStore: { kind: 'text', default: undefined, later: true },
  /** Digest of signatures. */
  securityDigest: { kind: 'text', default: 'sha256', later: true },
  /** Names to periodic tasks. */
  beatSchedule: { kind: 'options', default: {}, later: true },
  /** What decides what is due. */
  beatScheduler: { kind: 'any', default: undefined, later: true },
  /** File of the times of the last runs. */
  beatScheduleFilename: { kind: 'text', default: 'celerybeat-schedule', later: true },
  /** Writes that file after so many tasks; 0: every three minutes. */
  beatSyncEvery: { kind: 'count', default: 0, later: true },
  /** Seconds between looks at most; 0: as the scheduler says. */
  beatMaxLoopInterval: { kind: 'seconds', default: 0, later: true },
  /** Seconds for which a missed run is still made up for. */
  beatCronStartingDeadline: { kind: 'seconds', default: undefined, later: true },
  /** Log file of `celery beat`. */
  beatLogfile: { kind: 'text', default: undefined, later: true },
  /** Pid file of `celery beat`. */
  beatPidfile: { kind: 'text', default: undefined, later: true },
  /** User that `celery beat` becomes. */
  beatUid: { kind: 'text', default: undefined, declined: 'let a supervisor such as systemd choose the user' },
  /** Group that `celery beat` becomes. */
  beatGid: { kind: 'text', default: undefined, declined: 'let a supervisor such as systemd choose the group' },
  /** Mask of the files that `celery beat` makes. */
  beatUmask: { kind: 'text', default: undefined, declined: 'the program does not detach; let a supervisor set it' },
  /** Interpreter of a detached `celery beat`. */
  beatExecutable: { kind: 'text', default: undefined, declined: 'the program does not detach' },

  // Ours, without counterpart in Celery
  /** `'safe'`: late acks, requeue on a lost worker up to `maxRedeliveries`, nothing prefetched. */
  reliability: { kind: 'choice', choices: ['celery', 'safe'], default: 'celery', ours: true },
  /**
   * How often a message may come back before it is dead-lettered: its worker was lost, or its task timed out or gave it back.
   * One that has taken two processes with it waits before it comes back: 2 s, 4, 8 and so on up to 30.
   */
  maxRedeliveries: { kind: 'count', default: 5, ours: true },
  /**
   * What becomes of a message whose task a worker does not know: into the dead letters at once, or back into its queue,
   * after 1 s, 1, 2, 4 and so on up to 30 s, so that a worker with newer code can take it.
   */
  unknownTasks: { kind: 'choice', choices: ['dead-letter', 'requeue'], default: 'dead-letter', ours: true },
  /** Milliseconds for which `unknownTasks: 'requeue'` holds a message back in all, before it is dead-lettered as well. */
  unknownTaskWaitMs: { kind: 'milliseconds', default: 600_000, ours: true },
  /** Milliseconds that a fetched message stays ours without renewal. */
  leaseMs: { kind: 'milliseconds', default: 30_000, ours: true },
  /** Milliseconds after which an unconfirmed publish rejects. */
  publishTimeoutMs: { kind: 'milliseconds', default: 10_000, ours: true },
  /** Milliseconds of work for which a worker may hold more messages than the prefetch multiplier says, while tasks are short; 0 holds to the multiplier. */
  prefetchAheadMs: { kind: 'milliseconds', default: 25, ours: true },
  /** Refuses `get()` inside a task, which can wait for itself. */
  taskDisableSyncSubtasks: { kind: 'boolean', default: true, ours: true },
} as const

export type SettingName = keyof typeof settingTable

export const settingDefinitions: Readonly<Record<SettingName, SettingDefinition>> = settingTable

/** The value of every setting. */
export type Settings = {
  // Written here and not under a name of its own, which messages and editors would show instead of the values.
  -readonly [Name in SettingName]:
    | Expected<(typeof settingTable)[Name]>
    | ((typeof settingTable)[Name] extends { default: undefined } ? undefined : never)
    | ((typeof settingTable)[Name] extends { orNull: true } ? null : never)
}

/** `{ kind: 'seconds' }` → `number` */
type Expected<Definition> = Definition extends { choices: readonly (infer Choice)[] }
  ? Choice
  : Definition extends { kind: infer Kind extends keyof SettingKinds }
    ? SettingKinds[Kind]
    : never

export const defaultSettings: Readonly<Settings> = Object.fromEntries(
  Object.entries(settingDefinitions).map(([name, definition]) => [name, definition.default]),
) as unknown as Settings
