import { tracebackText } from '@celery/protocol'
import { logText } from './log-text.ts'
import { writeToStderr } from './write-to-stderr.ts'

/** Levels of a log, the least first. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical'

const levels: readonly LogLevel[] = ['debug', 'info', 'warning', 'error', 'critical']

/** For tasks to say what they do; each line carries the name and the id of the task. */
export interface TaskLogger {
  debug(message: string): void
  info(message: string): void
  warning(message: string): void
  error(message: string): void
  critical(message: string): void
  isEnabled(level: LogLevel): boolean
}

export interface TaskLogRecord {
  readonly level: LogLevel
  readonly message: string
  /** Of the logger: `celery.task`, or what `getTaskLogger` was given. */
  readonly logger: string
  /** Absent outside of tasks. */
  readonly task?: { readonly name: string; readonly id: string } | undefined
}

/** Where an app's tasks log to. The worker says how much is written; a program may put another `write` in its place. */
export class TaskLog {
  /** Least level that is written. @defaultValue `'warning'`, Celery's */
  level: LogLevel = 'warning'
  /** What a line is, its end included. @defaultValue as Celery's task log */
  format: (record: TaskLogRecord, now: Date) => string = taskLogLine
  /** @defaultValue writes such lines to standard error */
  write: (record: TaskLogRecord) => void = (record) => writeToStderr(this.format(record, new Date()))

  isEnabled(level: LogLevel): boolean {
    return levels.indexOf(level) >= levels.indexOf(this.level)
  }

  add(record: TaskLogRecord): void {
    if (this.isEnabled(record.level)) this.write(record)
  }

  /** What a handler of a task or a receiver of a signal threw. Never throws. */
  contained(who: string, error: unknown, task?: TaskLogRecord['task']): void {
    this.add({ level: 'error', message: `${who} threw: ${tracebackText(error)}`, logger: 'celery.app', task })
  }
}

/** Who logs, and about which task, found out anew for each line. */
export type LogOrigin = () => { readonly log: TaskLog; readonly task?: TaskLogRecord['task'] }

/** The logger of that name for whatever `origin` says. */
export function taskLogger(logger: string, origin: LogOrigin): TaskLogger {
  const at = (level: LogLevel) => (message: string) => {
    const { log, task } = origin()
    log.add({ level, message, logger, task })
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warning: at('warning'),
    error: at('error'),
    critical: at('critical'),
    isEnabled: (level) => origin().log.isEnabled(level),
  }
}

/**
 * `[2026-11-22 06:46:54,116: INFO/17] tasks.add[7c6a…]: message`. What comes from outside cannot forge lines: control
 * characters are escaped, and line feeds indent.
 */
export function taskLogLine({ level, message, task }: TaskLogRecord, now: Date): string {
  const stamp = now.toISOString().replace('T', ' ').replace('.', ',').replace('Z', '')
  const about = task === undefined ? '' : `${task.name}[${task.id}]: `
  return `[${stamp}: ${level.toUpperCase()}/${process.pid}] ${logText(about)}${logText(message)}\n`
}
