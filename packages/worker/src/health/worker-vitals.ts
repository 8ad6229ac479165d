import { ConsumingWatch } from './consuming-watch.ts'
import type { LastTitle } from './last-title.ts'
import { MainLoopBeat } from './main-loop-beat.ts'
import { TaskMetrics } from './task-metrics.ts'

/** What a worker notes of itself while it runs, for whoever asks how it is. */
export class WorkerVitals {
  /** Milliseconds since 1970. */
  readonly startedAt: number = Date.now()
  readonly consuming: ConsumingWatch
  readonly tasks: TaskMetrics
  readonly beat: MainLoopBeat = new MainLoopBeat()
  /** What keeps the start waiting, besides the broker. */
  waitsFor: string | undefined
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number

  /** The task that was started last, where it can block the main loop. */
  readonly lastTask: LastTitle | undefined

  constructor(
    isKnown: (task: string) => boolean,
    lastTask?: LastTitle | undefined,
    now: () => number = () => performance.now(),
  ) {
    this.now = now
    this.lastTask = lastTask
    this.consuming = new ConsumingWatch(now)
    this.tasks = new TaskMetrics(isKnown)
  }
}
