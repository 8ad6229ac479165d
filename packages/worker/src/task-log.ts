import type { TaskLog } from '@celery/app'
import { logText, type TraceOutcome } from '@celery/app/internal'
import type { ActiveTask } from './active-task.ts'
import { logFormatter } from './log-format.ts'
import { type ConsoleLogger, type Logger, type LogLevel, taskMessage } from './logger.ts'

/** Says what came of a task, in Celery's words. */
export function logOutcome(logger: Logger, task: ActiveTask, outcome: TraceOutcome): void {
  const { expected, runtime, state, text, traceback } = outcome
  switch (state) {
    case 'SUCCESS':
      if (logger.isEnabled('info')) logger.info(`Task ${task.title} succeeded in ${runtime.toFixed(6)}s: ${text}`)
      return
    case 'FAILURE':
      if (expected === true) logger.info(`Task ${task.title} raised expected: ${text}`)
      else logger.error(`Task ${task.title} raised: ${text}${traceback === undefined ? '' : `\n${traceback}`}`)
      return
    case 'RETRY':
      if (logger.isEnabled('info')) logger.info(`Task ${task.title} retry: ${text}`)
      return
    case 'IGNORED':
      if (logger.isEnabled('info')) logger.info(`Task ${task.title} ignored`)
      return
    case 'REJECTED':
      logger.warning(`Task ${task.title} rejected: ${text}`)
  }
}

/** What tasks of this process log goes where the worker logs, as far as that wants it. */
export function routeTaskLog(log: TaskLog, logger: Logger): void {
  log.level = leastLevel(logger)
  const { logTask } = logger as Partial<ConsoleLogger>
  log.write = logTask ?? (({ level, message, task }) => logger[level](taskMessage(message, task)))
}

/** Lets lines that tasks of a pool process log have the form that `workerTaskLogFormat` says. */
export function formatTaskLog(log: TaskLog, format: string, processName: string): void {
  const formatLine = logFormatter(format)
  log.format = ({ level, message, task }, now) => {
    const levelname = level.toUpperCase()
    return `${formatLine({ levelname, message: logText(message), created: now.getTime(), task, processName })}\n`
  }
}

/** The least level that `logger` writes. */
export function leastLevel(logger: Logger): LogLevel {
  const levels: readonly LogLevel[] = ['debug', 'info', 'warning', 'error']
  return levels.find((level) => logger.isEnabled(level)) ?? 'critical'
}
