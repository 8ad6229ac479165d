/** What a pool process runs: imports the app, then traces one task after the other. */
import { type Celery, findApp, importModules, SoftTimeLimitExceededError } from '@celery/app'
import { serveJobs } from '@celery/process-pool/child'
import type { ChildInit, ChildJobHeader } from './pools/prefork-pool.ts'
import { splitOutcome } from './pools/reply.ts'
import { AppNotFoundError } from './worker-errors.ts'

serveJobs(async (init: unknown) => {
  const { appModule, appExport, include } = init as ChildInit
  const app = await loadApp(appModule, appExport)
  await importModules(include)
  app.finalize()
  return async ({ header, body, signal }) => {
    const { input, softTimeLimit } = header as ChildJobHeader
    const softSignal =
      softTimeLimit === undefined ? undefined : withReason(signal, new SoftTimeLimitExceededError(softTimeLimit))
    return splitOutcome(await app.tracer.run({ ...input, body }, softSignal))
  }
})

/** The same signal, with the error that Celery users know. */
function withReason(signal: AbortSignal, reason: Error): AbortSignal {
  const controller = new AbortController()
  signal.addEventListener('abort', () => controller.abort(reason), { once: true })
  return controller.signal
}

async function loadApp(url: string, exportName: string | undefined): Promise<Celery> {
  const app = findApp((await import(url)) as Readonly<Record<string, unknown>>, exportName)
  if (app === undefined) throw new AppNotFoundError(url, exportName)
  return app
}
