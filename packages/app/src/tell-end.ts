import type { AppSignals } from './app-signals.ts'
import type { RunEnd } from './run-end.ts'
import type { Retry } from './run-requests.ts'
import type { RegisteredTask } from './task.ts'
import type { TaskContext } from './task-context.ts'
import type { TaskLog } from './task-logger.ts'

/** A run that has ended, and who is to hear of it. */
interface EndedRun {
  readonly task: RegisteredTask
  readonly context: TaskContext
  readonly end: RunEnd
  readonly signals: AppSignals
  readonly log: TaskLog
}

/** Calls the task's handlers and sends the signals, in Celery's order. Never rejects. */
export async function tellEnd(run: EndedRun): Promise<void> {
  const { context, end, signals, task } = run
  const about = { sender: task.name, request: context.request }
  const result = end.state === 'RETRY' ? end.error : end.result
  switch (end.state) {
    case 'SUCCESS':
      await contained(run, 'onSuccess', () => task.handlers?.onSuccess?.(result, context))
      await signals.taskSuccess.send({ ...about, result })
      await contained(run, 'afterReturn', () => task.handlers?.afterReturn?.('SUCCESS', result, context))
      break
    case 'FAILURE':
      await contained(run, 'onFailure', () => task.handlers?.onFailure?.(result, context))
      await signals.taskFailure.send({ ...about, error: result })
      await contained(run, 'afterReturn', () => task.handlers?.afterReturn?.('FAILURE', result, context))
      break
    case 'RETRY':
      await contained(run, 'onRetry', () => task.handlers?.onRetry?.(result as Retry, context))
      await signals.taskRetry.send({ ...about, reason: result as Retry })
  }
  await signals.taskPostrun.send({ ...about, state: end.state, result })
}

async function contained({ context, log }: EndedRun, name: string, call: () => void | Promise<void>): Promise<void> {
  try {
    await call()
  } catch (error) {
    const { id, task } = context.request
    log.contained(name, error, { name: task, id })
  }
}
