import { AsyncLocalStorage } from 'node:async_hooks'
import type { RunningTask } from './running-task.ts'
import type { TaskContext } from './task-context.ts'
import { type LogOrigin, TaskLog, type TaskLogger, taskLogger } from './task-logger.ts'

/** The context of whatever runs as a task here. */
interface CurrentTask extends TaskContext {
  /** The task of a worker that it is, or is called from as a plain function. */
  readonly ofWorker: RunningTask | undefined
  readonly logOrigin: ReturnType<LogOrigin>
}

const running = new AsyncLocalStorage<CurrentTask>()

/** The task that runs here, or `undefined` outside of tasks. */
export function currentTask(): TaskContext | undefined {
  return running.getStore()
}

/**
 * A logger of that name whose lines carry the name and the id of the task that runs where it is used; may be made once, at the
 * head of a module. Outside of tasks it writes plain lines, from level warning on, to standard error.
 */
export function getTaskLogger(name: string): TaskLogger {
  return taskLogger(name, () => running.getStore()?.logOrigin ?? outside)
}

const outside: ReturnType<LogOrigin> = { log: new TaskLog() }

/** The task that a worker runs here: the current one, unless that one calls another as a plain function */
export function workerTask(): RunningTask | undefined {
  return running.getStore()?.ofWorker
}

/** Runs `body` as the task of `context`. */
export function runInTask<T>(context: CurrentTask, body: () => T): T {
  return running.run(context, body)
}
