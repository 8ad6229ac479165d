import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { writeToStderr } from '@celery/app/internal'
import { consoleLogger, createWorker, expandPath, limitHeapGrowth, nodeName } from '@celery/worker'
import { banner } from './banner.ts'
import { chooseQueues } from './choose-queues.ts'
import type { CommandContext } from './command-context.ts'
import type { WorkerFlags } from './commands/worker-flags.ts'
import { LogFile } from './log-file.ts'
import { parseMaskOption } from './parse-option.ts'
import { PidFile } from './pid-file.ts'
import { checkRoot, dropPrivileges } from './privileges.ts'
import { purgeQueues } from './purge-queues.ts'
import { parseSettings } from './setting-overrides.ts'
import { type ShutdownOptions, shutDownOnSignals } from './shutdown-signals.ts'

/** Runs a worker of the app of the command line until it is told to stop. */
export async function runWorker(context: CommandContext, words: readonly string[], flags: WorkerFlags): Promise<void> {
  const {
    excludeQueues,
    gid,
    hostname,
    logfile,
    loglevel: level,
    pidfile,
    purge: isPurging,
    queues,
    uid,
    umask,
    ...rest
  } = flags
  const { color, quiet: isQuiet } = context.flags
  const { app, location } = await context.openApp()
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
  const colour = color ? conf.workerLogColor : false
  const logger = consoleLogger({
    level,
    ...(conf.workerLogFormat === undefined ? {} : { format: conf.workerLogFormat }),
    ...(conf.workerTaskLogFormat === undefined ? {} : { taskFormat: conf.workerTaskLogFormat }),
    ...(colour === undefined ? {} : { colour }),
    ...(logFile === undefined ? {} : { write: (line) => logFile.write(line), colour: colour ?? false }),
  })
  limitHeapGrowth()
  const worker = createWorker(app, {
    ...rest,
    hostname: node.replaceAll('%', '%%'),
    ...(location === undefined ? {} : { appModule: pathToFileURL(location.file).href }),
    ...(location?.exportName === undefined ? {} : { appExport: location.exportName }),
    // Threads are not made of these unless they are told.
    execArgv: process.execArgv,
    settings,
    logger,
    health: conf.workerHealth,
    ...(logPath === undefined ? {} : { logFile: resolve(logPath) }),
    // Without either it is left to the worker.
    ...((queues ?? excludeQueues) === undefined ? {} : { queues: chooseQueues(app, queues, excludeQueues) }),
  })
  const onLoaded = async (): Promise<void> => {
    // What cannot be anything but wrong is said instead of a banner. That the broker is away is another matter.
    app.transports.loaderOf(app.brokerAddress.split('://', 1)[0] ?? '')
    if (isQuiet !== true) process.stdout.write(banner(worker, level))
    if (rootWarning !== undefined) logger.warning(rootWarning)
    if (isPurging !== true) return
    for (const [queue, count] of await purgeQueues(app, worker.queues)) {
      logger.warning(`purge: erased ${count} messages from queue ${queue}`)
    }
  }
  const notify = (message: string): void => {
    if (isQuiet !== true) writeToStderr(`\ncelery: ${message}\n`)
  }
  const onStop: ShutdownOptions['onStop'] = (stop) => {
    void app.signals.workerShuttingDown.send({ sender: worker.hostname, ...stop })
  }
  // As Celery: work was broken off.
  if ((await shutDownOnSignals(worker, { notify, onLoaded, onStop })) === 'cold') context.status = 1
}
