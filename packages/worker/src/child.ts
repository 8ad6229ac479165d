/** What a pool process runs: imports the app, then traces one task after the other. */
import { type Celery, SoftTimeLimitExceededError } from '@celery/app'
import { findApp, type TraceInput } from '@celery/app/internal'
import { serveJobs } from '@celery/process-pool/child'
import { decodeEnvelope, type TaskHeaders } from '@celery/protocol'
import { parseJson } from '@celery/serialization'
import type { ChildInit, ChildJobHeader } from './pools/prefork-pool.ts'
import { splitOutcome } from './pools/reply.ts'
import { readTraceInput } from './trace-input.ts'
import { AppNotFoundError } from './worker-errors.ts'

serveJobs(
  async (init: unknown) => {
    const { appModule, appExport, include, settings, taskLogLevel } = init as ChildInit
    const app = await loadApp(appModule, appExport)
    app.conf.update(settings)
    app.taskLog.level = taskLogLevel
    await app.loadModules(include)
    app.finalize()
    return (job) => {
      const input = readInput(job.header as ChildJobHeader, job.body)
      // `job` goes on whole: reading its `signal` makes one, and few tasks ask for it.
      const outcome = app.tracer.run(input, job)
      return outcome instanceof Promise ? outcome.then(splitOutcome) : splitOutcome(outcome)
    }
  },
  { softLimitReason: (limitMs) => new SoftTimeLimitExceededError(limitMs / 1_000) },
)

/** What the worker has read already, and so no stranger's data. */
function readInput(header: ChildJobHeader, body: string | Uint8Array): TraceInput {
  const { message } = header
  if (message === undefined) return readTraceInput(decodeEnvelope(body), header)
  const { contentEncoding, contentType, headers, priority, replyTo } = message
  const { hostname, queue, redeliveries } = header
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
  const app = findApp((await import(url)) as Readonly<Record<string, unknown>>, exportName)
  if (app === undefined) throw new AppNotFoundError(url, exportName)
  await app.configure()
  return app
}
