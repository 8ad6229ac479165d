import type { ProcessPoolOptions } from './pool-options.ts'
import { ProcessPool } from './process-pool.ts'
import { threadLinks } from './thread-link.ts'

/** As of a pool of processes, without what belongs to a process. */
export type ThreadPoolOptions = Omit<ProcessPoolOptions, 'cwd' | 'env' | 'execArgv' | 'stderr' | 'stdout'> & {
  /** Options for `node`, of which a thread takes the loaders. @defaultValue those of this process */
  readonly execArgv?: readonly string[]
  /** Bytes of long-lived objects that a thread may hold; one that needs more ends. @defaultValue Node's, by the machine's memory */
  readonly maxHeapBytes?: number
}

/**
 * Runs jobs in threads of this process: faster to hand work to than processes, and less well shut off. A job that blocks
 * its thread, leaks or ends by `process.exit()` harms its thread only, which is replaced. One that aborts the process,
 * crashes in native code or changes what the process has only one of harms all of it; and one that is inside native code
 * at its hard limit ends its thread only when that code returns (outcome `timeout` with `stuck`).
 */
export class ThreadPool extends ProcessPool {
  constructor(options: ThreadPoolOptions) {
    super(options, threadLinks({ execArgv: options.execArgv, maxHeapBytes: options.maxHeapBytes }))
  }
}
