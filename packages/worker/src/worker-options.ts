import type { SettingsInput } from '@celery/app'
import type { Logger, LogLevel } from './logger.ts'
import type { PoolName } from './pools/pool-names.ts'

/** How a worker runs; what is left out comes from the app's settings. */
export interface WorkerOptions {
  /** Node name, `name@host`; `%h` is the host, `%n` the name, `%d` the domain. @defaultValue `'celery@%h'` */
  readonly hostname?: string
  /** Tasks run at the same time. 0 is the number of processors. @defaultValue `workerConcurrency`, else 0 */
  readonly concurrency?: number
  /**
   * Where tasks run: `prefork`, in child processes; `threads`, in threads of this process; `async`, in this process, as
   * `gevent` and `eventlet` mean too; `solo`, in this process one at a time; `./my-pool.js:createPool`, in a pool of your
   * own, of which `PoolFactory` tells; `custom`, in that which `CELERY_CUSTOM_WORKER_POOL` names. Any text is taken, as it
   * may come from the environment, and refused when the worker starts if it is none of these.
   * @defaultValue `workerPool` where `appModule` is known, else `'async'`
   */
  readonly pool?: PoolName | (string & {})
  /** Names of the queues to consume from. @defaultValue those of `taskQueues`, else `taskDefaultQueue` alone */
  readonly queues?: readonly string[]
  /** Messages fetched ahead for each slot. @defaultValue `workerPrefetchMultiplier` */
  readonly prefetchMultiplier?: number
  /** Fetches only what can run at once. @defaultValue `workerDisablePrefetch` */
  readonly disablePrefetch?: boolean
  /**
   * `fair` hands a task to a pool process only when that has nothing else to do; otherwise processes are also sent tasks
   * ahead, behind tasks known to take milliseconds only, and give them back when one takes longer. @defaultValue `'default'`
   */
  readonly optimization?: 'default' | 'fair'
  /** Hard limit in seconds for tasks that set none. @defaultValue `taskTimeLimit` */
  readonly timeLimit?: number
  /** Soft limit in seconds for tasks that set none. @defaultValue `taskSoftTimeLimit` */
  readonly softTimeLimit?: number
  /** Replaces a pool process after so many tasks. @defaultValue `workerMaxTasksPerChild` */
  readonly maxTasksPerChild?: number
  /** Replaces a pool process above so many KiB of resident memory. @defaultValue `workerMaxMemoryPerChild` */
  readonly maxMemoryPerChild?: number
  /** Further modules with tasks: paths, or URLs. @defaultValue `imports` and `include` */
  readonly include?: readonly string[]
  /**
   * URL of the module that creates the app (`import.meta.url` in that module), which pool processes import.
   * Needed by `prefork`.
   */
  readonly appModule?: string
  /** Which export of it is the app. @defaultValue `app`, then `celery`, then any app */
  readonly appExport?: string
  /** Settings laid over the app's, here and in pool processes, which load the app for themselves. @defaultValue `{}` */
  readonly settings?: SettingsInput
  /** Node flags of pool processes, loaders above all. @defaultValue those of this process */
  readonly execArgv?: readonly string[]
  /** @defaultValue a logger to standard error, from `logLevel` on */
  readonly logger?: Logger
  /**
   * File to whose end pool processes write what their tasks log; `%i` is the number of the process, `%I` the same after a
   * dash, `%n`, `%h`, `%d` and `%p` are of the node name. @defaultValue none: standard error
   */
  readonly logFile?: string
  /** @defaultValue `'warning'` */
  readonly logLevel?: LogLevel
  /**
   * Answers `celery health` on a socket that only its own user can open. The command `celery worker` sets it, unless the setting
   * `workerHealth` is false. @defaultValue `false`
   */
  readonly health?: boolean
  /**
   * Port that answers HTTP requests for `/live`, `/ready` and `/metrics`; 0 is any that is free, which the log names.
   * @defaultValue `workerHealthPort`
   */
  readonly healthPort?: number
  /** Address that this port is bound to: `0.0.0.0` for probes from other machines. @defaultValue `workerHealthHost`, else loopback alone */
  readonly healthHost?: string
  /** Milliseconds for which a stopping worker goes on trying to tell a broker that is away what it has done. @defaultValue `1_000` */
  readonly settleGraceMs?: number
}
