import { styleText } from 'node:util'
import type { LogLevel, TaskLogger } from '@celery/app'
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

export interface ConsoleLoggerOptions {
  /** Least level that is written. @defaultValue `'warning'`, Celery's */
  readonly level?: LogLevel
  readonly write?: (line: string) => void
  /** Form of a line, in Python's terms. @defaultValue `'[%(asctime)s: %(levelname)s/%(processName)s] %(message)s'` */
  readonly format?: string
  /** @defaultValue whether standard error is a terminal, and `NO_COLOR` not set */
  readonly colour?: boolean
}

/** Writes lines, by default in Celery's format, to standard error. */
export function consoleLogger(options: ConsoleLoggerOptions = {}): Logger {
  const least = order.indexOf(options.level ?? 'warning')
  const write = options.write ?? ((line: string) => process.stderr.write(line))
  const colour = options.colour ?? (process.stderr.isTTY === true && !process.env.NO_COLOR)
  const format = logFormatter(options.format ?? defaultLogFormat)
  const log = (level: LogLevel, message: string): void => {
    if (order.indexOf(level) < least) return
    const line = format({
      levelname: level.toUpperCase(),
      message: escapeControl(message),
      created: Date.now(),
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
  }
}

const longest = 10_000

/**
 * Task names, arguments and errors come from outside: no carriage return, escape sequence or endless line of theirs
 * may forge a log line. Line feeds stay, indented, because tracebacks need them.
 */
function escapeControl(message: string): string {
  const capped = message.length > longest ? `${message.slice(0, longest)}…` : message
  return capped.replace(controls, (character) =>
    character === '\n' ? '\n  ' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g
