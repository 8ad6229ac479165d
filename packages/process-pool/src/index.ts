export {
  type ChildErrorInfo,
  ChildStartError,
  CorruptFrameError,
  MessageTooLargeError,
  NotInPoolError,
  PoolClosedError,
  SoftTimeLimitExceeded,
} from './errors.ts'
export type { ChildEndReason, ChildExit } from './pool-child.ts'
export type { JobFailed, JobKilled, JobLost, JobOutcome, JobReplied, JobTimedOut, PoolJob } from './pool-job.ts'
export type { ChildInfo, ProcessPoolEvents, ProcessPoolOptions } from './pool-options.ts'
export { ProcessPool } from './process-pool.ts'
