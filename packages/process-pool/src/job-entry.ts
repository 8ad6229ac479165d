import { checkMessage } from './frame.ts'
import type { PoolJob } from './pool-job.ts'
import type { RunTime } from './run-times.ts'

/** A job inside the pool: waiting, sent to a child, or running there. */
export class JobEntry {
  readonly job: PoolJob
  readonly header: string
  readonly runTime: RunTime
  /** Number of the job at its present child. */
  seq = 0
  /** What the job was expected to take when it was sent. */
  expectedMs = 0
  started = false
  /** A cancel frame is under way. */
  cancelling = false
  /** Its owner wants it back. */
  recalled = false
  /** Its owner wants it ended, even if it starts first. */
  doomed = false

  /** @throws TypeError if the header is not JSON or the body neither text nor bytes. @throws MessageTooLargeError */
  constructor(job: PoolJob, runTime: RunTime) {
    this.job = job
    this.header = job.header === undefined ? '' : (JSON.stringify(job.header) ?? '')
    this.runTime = runTime
    checkMessage(this.header, job.body)
  }

  get sizeBytes(): number {
    return this.header.length + this.job.body.length
  }
}
