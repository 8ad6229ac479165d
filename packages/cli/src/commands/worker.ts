import { pathToFileURL } from 'node:url'
import type { Celery } from '@celery/app'
import { consoleLogger, createWorker, expandPath, type LogLevel, nodeName, poolNames } from '@celery/worker'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { banner } from '../banner.ts'
import { loadApp } from '../load-app.ts'
import { LogFile } from '../log-file.ts'
import { parseAmountOption, parseCountOption, parseListOption, parseMaskOption } from '../parse-option.ts'
import { PidFile } from '../pid-file.ts'
import { checkRoot, dropPrivileges } from '../privileges.ts'
import { parseSettings } from '../setting-overrides.ts'
import { shutDownOnSignals } from '../shutdown-signals.ts'
import { UsageError } from '../usage-error.ts'

interface WorkerFlags {
  readonly hostname?: string
  readonly concurrency?: number
  readonly pool?: string
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
  readonly workdir?: string
  readonly prefetchMultiplier?: number
  readonly disablePrefetch?: boolean
  readonly timeLimit?: number
  readonly softTimeLimit?: number
  readonly maxTasksPerChild?: number
  readonly maxMemoryPerChild?: number
  readonly purge?: boolean
  readonly quiet?: boolean
}

const levels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL', 'FATAL'] as const

/** `celery worker`: consumes tasks until it is told to stop. */
export function workerCommand(program: Command): void {
  const command = program
    .command('worker')
    .description('run a worker: take tasks from the queues and run them')
    .argument('[settings...]', 'after --: settings of the app, such as task_acks_late=true')
    .option('-n, --hostname <name>', 'node name, name@host; %h is the host, %n the name, %d the domain')
    .option(
      '-c, --concurrency <number>',
      'tasks run at the same time (default: number of processors)',
      parseCountOption,
    )
    .addOption(
      new Option(
        '-P, --pool <name>',
        'how tasks run: prefork (processes), threads, async (this process) or solo (the same, one at a time)',
      ).choices(poolNames),
    )
    .addOption(
      new Option(
        '-O, --optimization <name>',
        'fair: a process gets a task only when it is idle; default: also behind tasks known to be short',
      ).argParser(parseOptimization),
    )
    .option('-Q, --queues <list>', 'queues to consume from, separated by commas', parseListOption)
    .option('-X, --exclude-queues <list>', 'queues to leave out, separated by commas', parseListOption)
    .option('-I, --include <list>', 'further modules with tasks, separated by commas', parseListOption)
    .addOption(
      new Option('-l, --loglevel <level>', levels.join(', ')).default('warning', 'WARNING').argParser(parseLevel),
    )
    .option('-f, --logfile <path>', 'log to this file; %n, %h, %d, %p, %i, %I are replaced (default: standard error)')
    .option('--pidfile <path>', 'write the process id to this file, and start only if no other process has it')
    .option('--uid <user>', 'become this user, by name or id')
    .option('--gid <group>', 'become this group, by name or id')
    .option('--umask <mask>', 'mask of the files that it makes, octal', parseMaskOption)
    .option('--workdir <path>', 'change to this folder first')
    .option('--prefetch-multiplier <number>', 'messages fetched ahead for each slot', parseAmountOption)
    .option('--disable-prefetch', 'fetch only what can run at once')
    .option('--time-limit <seconds>', 'hard limit: the process that runs the task is killed', parseAmountOption)
    .option('--soft-time-limit <seconds>', "soft limit: the task's signal aborts", parseAmountOption)
    .option('--max-tasks-per-child <number>', 'replace a process after so many tasks', parseCountOption)
    .option('--max-memory-per-child <kib>', 'replace a process above so much memory', parseCountOption)
    .option('--purge', 'first delete all messages that wait in the queues')
    .addOption(new Option('--discard', 'as --purge').implies({ purge: true }).hideHelp())
    .option('-q, --quiet', 'print no banner and nothing about signals')
  for (const [flags, why] of withoutEffect) command.addOption(new Option(flags, why).hideHelp())
  const later = notYet.map(([flags, what]) => ({ option: new Option(flags).hideHelp(), what }))
  for (const { option } of later) command.addOption(option)
  command.action(async (settings: readonly string[], flags: WorkerFlags) => {
    for (const { option, what } of later)
      if (option.attributeName() in flags) throw new UsageError(`${option.long}: there is no support for ${what} yet`)
    await runWorker(program.opts<{ app?: string }>().app, settings, flags)
  })
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

async function runWorker(appModule: string | undefined, words: readonly string[], flags: WorkerFlags): Promise<void> {
  const {
    excludeQueues,
    gid,
    hostname,
    logfile,
    loglevel: level,
    pidfile,
    purge: isPurging,
    quiet: isQuiet,
    queues,
    uid,
    umask,
    workdir,
    ...rest
  } = flags
  if (workdir !== undefined) enter(workdir)
  const { app, location, execArgv } = await loadApp(appModule)
  await using _closing = app
  const settings = parseSettings(words)
  // Some are needed before there is a worker.
  app.conf.update(settings)
  const { conf } = app
  const mask = umask ?? (conf.workerUmask === undefined ? undefined : parseMaskOption(conf.workerUmask))
  if (mask !== undefined) process.umask(mask)
  dropPrivileges({ uid: uid ?? conf.workerUid, gid: gid ?? conf.workerGid })
  const rootWarning = checkRoot(app, process.getuid?.(), process.env)

  const node = nodeName(hostname)
  const pidPath = pidfile ?? conf.workerPidfile
  using _pidFile = pidPath === undefined ? undefined : new PidFile(expandPath(pidPath, node))
  const logPath = logfile ?? conf.workerLogfile
  using logFile = logPath === undefined ? undefined : new LogFile(expandPath(logPath, node))
  const logger = consoleLogger({
    level,
    ...(conf.workerLogFormat === undefined ? {} : { format: conf.workerLogFormat }),
    ...(conf.workerLogColor === undefined ? {} : { colour: conf.workerLogColor }),
    ...(logFile === undefined ? {} : { write: (line) => logFile.write(line), colour: conf.workerLogColor ?? false }),
  })
  const chosen = chooseQueues(queues, excludeQueues, conf.taskDefaultQueue)
  const worker = createWorker(app, {
    ...rest,
    hostname: node.replaceAll('%', '%%'),
    appModule: pathToFileURL(location.file).href,
    ...(location.exportName === undefined ? {} : { appExport: location.exportName }),
    execArgv,
    settings,
    logger,
    ...(chosen === undefined ? {} : { queues: chosen }),
  })
  if (isQuiet !== true) process.stdout.write(banner(worker, level))
  if (rootWarning !== undefined) logger.warning(rootWarning)
  if (isPurging === true) await purge(app, worker.queues, (line) => logger.warning(line))
  const notify = (message: string): void => {
    if (isQuiet !== true) process.stderr.write(`\ncelery: ${message}\n`)
  }
  // As Celery: work was broken off.
  if ((await shutDownOnSignals(worker, { notify })) === 'cold') process.exitCode = 1
}

function enter(folder: string): void {
  try {
    process.chdir(folder)
  } catch (error) {
    throw new UsageError(`cannot change to the folder ${folder}: ${(error as Error).message}`)
  }
}

/** `undefined` leaves it to the worker. */
function chooseQueues(
  selected: readonly string[] | undefined,
  excluded: readonly string[] | undefined,
  byDefault: string,
): readonly string[] | undefined {
  if (excluded === undefined) return selected
  const left = (selected ?? [byDefault]).filter((queue) => !excluded.includes(queue))
  if (left.length === 0) throw new UsageError('no queue is left to consume from; see -Q and -X')
  return left
}

async function purge(app: Celery, queues: readonly string[], say: (line: string) => void): Promise<void> {
  await using connection = app.connectionForWrite()
  const broker = await connection.broker()
  for (const name of queues) {
    await broker.declareQueue({ name, durable: true })
    say(`purge: erased ${await broker.purgeQueue(name)} messages from queue ${name}`)
  }
}

function parseLevel(text: string): LogLevel {
  const level = text.toUpperCase()
  if (!(levels as readonly string[]).includes(level)) {
    throw new InvalidArgumentError(`It must be one of ${levels.join(', ')}.`)
  }
  return (level === 'FATAL' ? 'critical' : level.toLowerCase()) as LogLevel
}

/** Celery's names: `fast` and `fcfs` fill the pipes of processes, here with short tasks only, which is the default. */
function parseOptimization(text: string): 'default' | 'fair' {
  if (text === 'fair') return 'fair'
  if (['default', 'fast', 'fcfs'].includes(text)) return 'default'
  throw new InvalidArgumentError('It must be one of default, fair, fast, fcfs.')
}
