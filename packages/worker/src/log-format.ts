/** What a log line can say. */
export interface LogRecord {
  readonly levelname: string
  readonly message: string
  /** Milliseconds since 1970. */
  readonly created: number
  /** Which task logs it. */
  readonly task?: { readonly name: string; readonly id: string } | undefined
  /** @defaultValue `'MainProcess'` */
  readonly processName?: string | undefined
}

/** As `worker_log_format`'s default. */
export const defaultLogFormat = '[%(asctime)s: %(levelname)s/%(processName)s] %(message)s'

/**
 * Compiles a format as Python's logging has it, `%(levelname)-8s` for example, into a function. Known are `asctime`,
 * `created`, `levelname`, `levelno`, `message`, `name`, `process`, `processName`, `task_id`, `task_name`, `thread` and
 * `threadName`; what is none of these is written as it stands.
 */
export function logFormatter(format: string): (record: LogRecord) => string {
  const parts = format.split(/(%\(\w+\)[-0]*\d*(?:\.\d+)?[sdf]|%%)/)
  const writers = parts.filter((part) => part !== '').map(writerOf)
  return (record) => writers.map((write) => write(record)).join('')
}

type Writer = (record: LogRecord) => string

/** Python's numbers of its levels. */
const levelNumbers: Readonly<Record<string, number>> = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 }

const fields: ReadonlyMap<string, Writer> = new Map<string, Writer>([
  ['asctime', ({ created }) => new Date(created).toISOString().replace('T', ' ').replace('.', ',').replace('Z', '')],
  ['created', ({ created }) => String(created / 1_000)],
  ['levelname', ({ levelname }) => levelname],
  ['levelno', ({ levelname }) => String(levelNumbers[levelname] ?? 0)],
  ['message', ({ message }) => message],
  ['name', () => 'celery.worker'],
  ['process', () => String(process.pid)],
  ['processName', ({ processName = 'MainProcess' }) => processName],
  // As Celery shows them outside of a task.
  ['task_id', ({ task }) => task?.id ?? '???'],
  ['task_name', ({ task }) => task?.name ?? '???'],
  ['thread', () => '0'],
  ['threadName', () => 'MainThread'],
])

function writerOf(part: string): Writer {
  if (part === '%%') return () => '%'
  const [, name = '', flags = '', width = ''] = /^%\((\w+)\)([-0]*)(\d*)/.exec(part) ?? []
  const write = fields.get(name)
  if (write === undefined) return () => part
  if (width === '') return write
  return flags.includes('-')
    ? (record) => write(record).padEnd(Number(width))
    : (record) => write(record).padStart(Number(width))
}
