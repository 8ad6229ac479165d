import { styleText } from 'node:util'
import type { LogLevel, TaskLogger, TaskLogRecord } from '@celery/app'
import { logText, writeToStderr } from '@celery/app/internal'
import { defaultLogFormat, logFormatter } from './log-format.ts'

export type { LogLevel } from '@celery/app'

/** Where a worker says what it does, as tasks do. Any logger with these methods will do. */
export type Logger = TaskLogger

const order: readonly LogLevel[] = ['debug', 'info', 'warning', 'error', 'critical']

const colours: Readonly<Record<LogLevel, Parameters<typeof styleText>[0] | undefined>> = {
  debug: 'blue',
  info: undefined,
  warning: 'yellow',
  error: 'red',
  critical: 'magenta',
}

/** A logger that can tell what tasks log from what the worker does. */
export interface ConsoleLogger extends Logger {
  logTask(record: TaskLogRecord): void
}

export interface ConsoleLoggerOptions {
  /** Least level that is written. @defaultValue `'warning'`, Celery's */
  readonly level?: LogLevel
  readonly write?: (line: string) => void
  /** Form of a line, in Python's terms. @defaultValue `'[%(asctime)s: %(levelname)s/%(processName)s] %(message)s'` */
  readonly format?: string
  /** Form of a line that a task logs. @defaultValue `format`, with `name[id]: ` before the message */
  readonly taskFormat?: string
  /** @defaultValue whether standard error is a terminal, and `NO_COLOR` not set */
  readonly colour?: boolean
}

/** Writes lines, by default in Celery's format, to standard error. */
export function consoleLogger(options: ConsoleLoggerOptions = {}): ConsoleLogger {
  const least = order.indexOf(options.level ?? 'warning')
  const write = options.write ?? writeToStderr
  const colour = options.colour ?? (process.stderr.isTTY === true && !process.env.NO_COLOR)
  const formatLine = logFormatter(options.format ?? defaultLogFormat)
  const formatTask = options.taskFormat === undefined ? undefined : logFormatter(options.taskFormat)
  const log = (level: LogLevel, message: string, format = formatLine, task?: TaskLogRecord['task']): void => {
    if (order.indexOf(level) < least) return
    const line = format({
      levelname: level.toUpperCase(),
      message: logText(message),
      created: Date.now(),
      task,
    })
    const style = colours[level]
    write(`${colour && style !== undefined ? styleText(style, line, { validateStream: false }) : line}\n`)
  }
  return {
    debug: (message) => log('debug', message),
    info: (message) => log('info', message),
    warning: (message) => log('warning', message),
    error: (message) => log('error', message),
    critical: (message) => log('critical', message),
    isEnabled: (level) => order.indexOf(level) >= least,
    logTask: ({ level, message, task }) =>
      formatTask === undefined ? log(level, taskMessage(message, task)) : log(level, message, formatTask, task),
  }
}

/** A message with the task that it is about. */
export function taskMessage(message: string, task: TaskLogRecord['task']): string {
  return task === undefined ? message : `${task.name}[${task.id}]: ${message}`
}
