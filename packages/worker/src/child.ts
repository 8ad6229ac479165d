/** What a pool process runs: imports the app, then traces one task after the other. */
import { AppNotFoundError, type Celery, SoftTimeLimitExceededError } from '@celery/app'
import { findApp, type SoftLimit, type TraceInput } from '@celery/app/internal'
import { serveJobs } from '@celery/process-pool/child'
import { decodeEnvelope, type TaskHeaders } from '@celery/protocol'
import { parseJson } from '@celery/serialization'
import { AppImportError } from './app-import-error.ts'
import { logTasksTo } from './child-log.ts'
import { expandPath } from './node-name.ts'
import type { ChildInit, ChildJobHeader } from './pools/prefork-pool.ts'
import { type OutcomeReply, splitOutcome } from './pools/reply.ts'
import { formatTaskLog } from './task-log.ts'
import { readTraceInput } from './trace-input.ts'

type JobMessage = NonNullable<ChildJobHeader['message']>

/** Tells that this process is let go. */
let end: () => void | Promise<void> = () => {}

serveJobs(
  async (init: unknown, { index }) => {
    const { appModule, appExport, hostname, include, logFile, settings, taskLogLevel } = init as ChildInit
    const app = await loadApp(appModule, appExport)
    app.conf.update(settings)
    app.taskLog.level = taskLogLevel
    const { workerTaskLogFormat } = app.conf
    if (workerTaskLogFormat !== undefined) {
      formatTaskLog(app.taskLog, workerTaskLogFormat, `ForkPoolWorker-${index}`)
    }
    if (logFile !== undefined) logTasksTo(app.taskLog, expandPath(logFile, hostname, index))
    await app.loadModules(include)
    app.finalize()
    await app.codecs.load()
    const place = { sender: hostname, index, pid: process.pid }
    await app.signals.workerProcessInit.send(place)
    end = () => app.signals.workerProcessShutdown.send({ ...place, exitCode: 0 })
    const run = (input: TraceInput, job: SoftLimit): OutcomeReply | Promise<OutcomeReply> => {
      // `job` goes on whole: reading its `signal` makes one, and few tasks ask for it.
      const outcome = app.tracer.run(input, job)
      return outcome instanceof Promise ? outcome.then(splitOutcome) : splitOutcome(outcome)
    }
    return (job) => {
      const header = job.header as ChildJobHeader
      if (header.message !== undefined) return run(inputOf(header, header.message, job.body), job)
      const message = decodeEnvelope(job.body)
      const loading = app.messages.prepare(message)
      if (loading === undefined) return run(readTraceInput(message, header, app.messages), job)
      // What cannot be had is told when the task is to run.
      return loading.catch(() => {}).then(() => run(readTraceInput(message, header, app.messages), job))
    }
  },
  { onClose: () => end(), softLimitReason: (limitMs) => new SoftTimeLimitExceededError(limitMs / 1_000) },
)

/** What the worker has read already, and so no stranger's data. */
function inputOf(origin: ChildJobHeader, message: JobMessage, body: string | Uint8Array): TraceInput {
  const { contentEncoding, contentType, headers, priority, replyTo } = message
  const { hostname, queue, redeliveries } = origin
  return {
    headers: parseJson(headers) as TaskHeaders,
    body,
    contentType,
    contentEncoding,
    replyTo,
    priority,
    queue,
    redeliveries,
    hostname,
  }
}

async function loadApp(url: string, exportName: string | undefined): Promise<Celery> {
  const app = findApp(await importApp(url), exportName)
  if (app === undefined) throw new AppNotFoundError(url, exportName)
  await app.configure()
  return app
}

async function importApp(url: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(url)
  } catch (error) {
    throw new AppImportError(url, error)
  }
}
