/** What a pool process runs: imports the app, then traces one task after the other. */
import { type Celery, SoftTimeLimitExceededError } from '@celery/app'
import { findApp, importModules } from '@celery/app/internal'
import { serveJobs } from '@celery/process-pool/child'
import type { TaskHeaders } from '@celery/protocol'
import { parseJson } from '@celery/serialization'
import type { ChildInit, ChildJobHeader } from './pools/prefork-pool.ts'
import { splitOutcome } from './pools/reply.ts'
import { AppNotFoundError } from './worker-errors.ts'

serveJobs(
  async (init: unknown) => {
    const { appModule, appExport, include } = init as ChildInit
    const app = await loadApp(appModule, appExport)
    await importModules(include)
    app.finalize()
    return (job) => {
      const { headers, ...rest } = job.header as ChildJobHeader
      const input = { ...rest, headers: typeof headers === 'string' ? readHeaders(headers) : headers, body: job.body }
      // `job` goes on whole: reading its `signal` makes one, and few tasks ask for it.
      const outcome = app.tracer.run(input, job)
      return outcome instanceof Promise ? outcome.then(splitOutcome) : splitOutcome(outcome)
    }
  },
  { softLimitReason: (limitMs) => new SoftTimeLimitExceededError(limitMs / 1_000) },
)

function readHeaders(text: string): TaskHeaders {
  return parseJson(text) as TaskHeaders
}

async function loadApp(url: string, exportName: string | undefined): Promise<Celery> {
  const app = findApp((await import(url)) as Readonly<Record<string, unknown>>, exportName)
  if (app === undefined) throw new AppNotFoundError(url, exportName)
  return app
}
