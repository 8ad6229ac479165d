import type { RedisServer } from '@celery/test-servers'
import { processorSecondsOf } from '../process-usage.ts'
import type { Readings } from '../suite.ts'

/** What a Redis does while a queue is drained. */
export class ServerUsage {
  readonly #pid: number
  #before: number | undefined

  constructor({ pid }: RedisServer) {
    this.#pid = pid
  }

  /** The queue is full. */
  start(): void {
    this.#before = processorSecondsOf(this.#pid)
  }

  /** `serverMicros`: processor time of Redis for each task. Nothing where the platform does not tell. */
  readings(tasks: number): Readings {
    const after = processorSecondsOf(this.#pid)
    if (this.#before === undefined || after === undefined) return {}
    return { serverMicros: ((after - this.#before) * 1e6) / tasks }
  }
}
