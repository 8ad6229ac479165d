import type { TraceOutcome } from '@celery/app/internal'
import type { Logger } from './logger.ts'

/** Says what came of a task, in Celery's words; `title` is `tasks.add[7c6a…]`. */
export function logOutcome(logger: Logger, title: string, { runtime, state, text, traceback }: TraceOutcome): void {
  switch (state) {
    case 'SUCCESS':
      if (logger.isEnabled('info')) logger.info(`Task ${title} succeeded in ${runtime.toFixed(6)}s: ${text}`)
      return
    case 'FAILURE':
      logger.error(`Task ${title} raised: ${text}${traceback === undefined ? '' : `\n${traceback}`}`)
      return
    case 'IGNORED':
      if (logger.isEnabled('info')) logger.info(`Task ${title} ignored`)
      return
    case 'REJECTED':
      logger.warning(`Task ${title} rejected: ${text}`)
  }
}
