import type { TraceOutcome } from '@celery/app/internal'
import type { ActiveTask } from './active-task.ts'
import type { Logger } from './logger.ts'

/** Says what came of a task, in Celery's words. */
export function logOutcome(logger: Logger, task: ActiveTask, outcome: TraceOutcome): void {
  const { runtime, state, text, traceback } = outcome
  switch (state) {
    case 'SUCCESS':
      if (logger.isEnabled('info')) logger.info(`Task ${task.title} succeeded in ${runtime.toFixed(6)}s: ${text}`)
      return
    case 'FAILURE':
      logger.error(`Task ${task.title} raised: ${text}${traceback === undefined ? '' : `\n${traceback}`}`)
      return
    case 'IGNORED':
      if (logger.isEnabled('info')) logger.info(`Task ${task.title} ignored`)
      return
    case 'REJECTED':
      logger.warning(`Task ${task.title} rejected: ${text}`)
  }
}
