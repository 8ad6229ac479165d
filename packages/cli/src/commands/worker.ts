import { pathToFileURL } from 'node:url'
import { consoleLogger, createWorker, type LogLevel, poolNames } from '@celery/worker'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { banner } from '../banner.ts'
import { loadApp } from '../load-app.ts'
import { parseAmountOption, parseCountOption } from '../parse-option.ts'
import { shutDownOnSignals } from '../shutdown-signals.ts'

interface WorkerFlags {
  readonly hostname?: string
  readonly concurrency?: number
  readonly pool?: string
  readonly queues?: string
  readonly loglevel: string
  readonly prefetchMultiplier?: number
  readonly timeLimit?: number
  readonly softTimeLimit?: number
  readonly maxTasksPerChild?: number
  readonly maxMemoryPerChild?: number
  readonly include?: string
  readonly quiet?: boolean
}

const levels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL', 'FATAL'] as const

/** `celery worker`: consumes tasks until it is told to stop. */
export function workerCommand(program: Command): void {
  program
    .command('worker')
    .description('run a worker: take tasks from the queues and run them')
    .option('-n, --hostname <name>', 'node name, name@host; %h is the host, %n the name, %d the domain')
    .option(
      '-c, --concurrency <number>',
      'tasks run at the same time (default: number of processors)',
      parseCountOption,
    )
    .addOption(
      new Option('-P, --pool <name>', 'how tasks run: prefork (processes) or async (this process)').choices(poolNames),
    )
    .option('-Q, --queues <list>', 'queues to consume from, separated by commas')
    .option('-I, --include <list>', 'further modules with tasks, separated by commas')
    .addOption(
      new Option('-l, --loglevel <level>', levels.join(', ')).default('WARNING').argParser((text) => {
        const level = text.toUpperCase()
        if ((levels as readonly string[]).includes(level)) return level
        throw new InvalidArgumentError(`It must be one of ${levels.join(', ')}.`)
      }),
    )
    .option('--prefetch-multiplier <number>', 'messages fetched ahead for each slot', parseAmountOption)
    .option('--time-limit <seconds>', 'hard limit: the process that runs the task is killed', parseAmountOption)
    .option('--soft-time-limit <seconds>', "soft limit: the task's signal aborts", parseAmountOption)
    .option('--max-tasks-per-child <number>', 'replace a process after so many tasks', parseCountOption)
    .option('--max-memory-per-child <kib>', 'replace a process above so much memory', parseCountOption)
    .option('-q, --quiet', 'print no banner and nothing about signals')
    .action(async (flags: WorkerFlags) => {
      const { app, location, execArgv } = await loadApp(program.opts<{ app?: string }>().app)
      await using _closing = app
      const { loglevel, queues, include, quiet, ...rest } = flags
      const level = (loglevel === 'FATAL' ? 'critical' : loglevel.toLowerCase()) as LogLevel
      const worker = createWorker(app, {
        ...rest,
        appModule: pathToFileURL(location.file).href,
        ...(location.exportName === undefined ? {} : { appExport: location.exportName }),
        execArgv,
        logger: consoleLogger({ level }),
        ...(queues === undefined ? {} : { queues: list(queues) }),
        ...(include === undefined ? {} : { include: list(include) }),
      })
      if (quiet !== true) process.stdout.write(banner(worker))
      const notify = (message: string): void => {
        if (quiet !== true) process.stderr.write(`\ncelery: ${message}\n`)
      }
      // As Celery: work was broken off.
      if ((await shutDownOnSignals(worker, { notify })) === 'cold') process.exitCode = 1
    })
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
