import type { LogLevel } from '@celery/worker'
import { isPoolName, type PoolName, poolNames } from '@celery/worker/pool-names'
import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  parseAmountOption,
  parseCountOption,
  parseListOption,
  parseMaskOption,
  parsePortOption,
  parseSizeOption,
} from '../parse-option.ts'
import { UsageError } from '../usage-error.ts'

/** What `celery worker` was told. */
export interface WorkerFlags {
  readonly hostname?: string
  readonly concurrency?: number
  readonly pool?: PoolName
  readonly optimization?: 'default' | 'fair'
  readonly queues?: readonly string[]
  readonly excludeQueues?: readonly string[]
  readonly include?: readonly string[]
  readonly loglevel: LogLevel
  readonly logfile?: string
  readonly pidfile?: string
  readonly uid?: string
  readonly gid?: string
  readonly umask?: number
  readonly prefetchMultiplier?: number
  readonly disablePrefetch?: boolean
  readonly timeLimit?: number
  readonly softTimeLimit?: number
  readonly maxTasksPerChild?: number
  readonly maxMemoryPerChild?: number
  readonly purge?: boolean
  readonly healthPort?: number
  readonly healthHost?: string
}

const levels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL', 'FATAL'] as const

/**
 * Declares the options of `celery worker`. What it returns refuses those that wait for parts which are not here yet, and
 * leaves out those that say nothing.
 */
export function addWorkerOptions(command: Command): (flags: WorkerFlags) => WorkerFlags {
  command
    .optionsGroup('How tasks run:')
    .addOption(
      new Option(
        '-P, --pool <name>',
        'prefork (processes), threads, async (this process), solo (the same, one at a time) or a module: ./my-pool.js:create',
      ).argParser(parsePool),
    )
    .option(
      '-c, --concurrency <number>',
      'tasks run at the same time; 0 is the number of processors (default: 0)',
      parseSizeOption,
    )
    .addOption(
      new Option(
        '-O, --optimization <name>',
        'fair: a process gets a task only when it is idle; default: also behind tasks known to be short',
      ).argParser(parseOptimization),
    )
    .option('--time-limit <seconds>', 'hard limit: the process that runs the task is killed', parseAmountOption)
    .option('--soft-time-limit <seconds>', "soft limit: the task's signal aborts", parseAmountOption)
    .option('--max-tasks-per-child <number>', 'replace a process after so many tasks', parseCountOption)
    .option('--max-memory-per-child <kib>', 'replace a process above so much memory', parseCountOption)
    .optionsGroup('Tasks and queues:')
    .option('-Q, --queues <list>', 'queues to consume from, separated by commas', parseListOption)
    .option('-X, --exclude-queues <list>', 'queues to leave out, separated by commas', parseListOption)
    .option('-I, --include <list>', 'further modules with tasks, separated by commas', parseListOption)
    .option('--prefetch-multiplier <number>', 'messages fetched ahead for each slot', parseAmountOption)
    .option('--disable-prefetch', 'fetch only what can run at once')
    .option('--purge', 'first delete all messages that wait in the queues')
    .addOption(new Option('--discard', 'as --purge').implies({ purge: true }).hideHelp())
    .optionsGroup('The process:')
    .option('-n, --hostname <name>', 'node name, name@host; %h is the host, %n the name, %d the domain')
    .addOption(
      new Option('-l, --loglevel <level>', levels.join(', ')).default('warning', 'WARNING').argParser(parseLevel),
    )
    .option('-f, --logfile <path>', 'log to this file; %n, %h, %d, %p, %i, %I are replaced (default: standard error)')
    .option('--pidfile <path>', 'write the process id to this file, and start only if no other process has it')
    .option('--uid <user>', 'become this user, by name or id')
    .option('--gid <group>', 'become this group, by name or id')
    .option('--umask <mask>', 'mask of the files that it makes, octal', parseMaskOption)
    .option('--health-port <port>', 'answer HTTP requests for /live, /ready and /metrics there', parsePortOption)
    .option('--health-host <address>', 'address that this port is bound to (default: 127.0.0.1)')
  const silent = withoutEffect.map(([flags, why]) => new Option(flags, why).hideHelp())
  for (const option of silent) command.addOption(option)
  const later = notYet.map(([flags, what]) => ({ option: new Option(flags).hideHelp(), what }))
  for (const { option } of later) command.addOption(option)
  return (flags) => {
    for (const { option, what } of later)
      if (option.attributeName() in flags) throw new UsageError(`${option.long}: there is no support for ${what} yet`)
    const said = { ...flags } as Record<string, unknown>
    for (const name of ['discard', ...silent.map((option) => option.attributeName())]) delete said[name]
    return said as unknown as WorkerFlags
  }
}

/** What these turn off is not there. */
const withoutEffect = [
  ['--without-gossip', 'there is no gossip'],
  ['--without-mingle', 'there is no mingle'],
  ['--without-heartbeat', 'there are no heartbeats'],
] as const

/** Celery's options that have to wait for the parts that they are about. */
const notYet = [
  ['-E, --task-events', 'events'],
  ['-B, --beat', 'an embedded beat'],
  ['-s, --schedule-filename <path>', 'an embedded beat'],
  ['--scheduler <name>', 'an embedded beat'],
  ['-S, --statedb <path>', 'a file of revoked tasks'],
  ['--autoscale <range>', 'autoscaling'],
  ['--heartbeat-interval <seconds>', 'heartbeats'],
  ['-D, --detach', 'detaching; let a supervisor such as systemd run the worker'],
  ['--executable <path>', 'detaching; let a supervisor such as systemd run the worker'],
] as const

function parseLevel(text: string): LogLevel {
  const level = text.toUpperCase()
  if (!(levels as readonly string[]).includes(level)) {
    throw new InvalidArgumentError(`It must be one of ${levels.join(', ')}.`)
  }
  return (level === 'FATAL' ? 'critical' : level.toLowerCase()) as LogLevel
}

function parsePool(text: string): PoolName {
  if (!isPoolName(text)) {
    throw new InvalidArgumentError(`It must be one of ${poolNames.join(', ')}, or the path of a module.`)
  }
  return text
}

/** Celery's names: `fast` and `fcfs` fill the pipes of processes, here with short tasks only, which is the default. */
function parseOptimization(text: string): 'default' | 'fair' {
  if (text === 'fair') return 'fair'
  if (['default', 'fast', 'fcfs'].includes(text)) return 'default'
  throw new InvalidArgumentError('It must be one of default, fair, fast, fcfs.')
}
