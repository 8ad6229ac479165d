/**
 * Celery at work with nothing installed but Node: sends one task for each file of a folder to a worker in another
 * process, and shows what comes back.
 *
 * Usage: npm start [-- FOLDER]
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eachInParallel } from './each-in-parallel.ts'
import { findFiles, type Unreadable } from './find-files.ts'
import { ProgressBar } from './progress-bar.ts'
import { summary } from './summary.ts'
import { app, type FileReport, inspectFile } from './tasks.ts'
import { WorkerProcess } from './worker-process.ts'

/** Tasks sent and not yet answered: enough to keep a worker busy, and few to take back. */
const inFlight = 500

async function main(folder: string, interrupted: AbortSignal): Promise<void> {
  const { files, unreadable } = await findFiles(folder, interrupted)
  if (files.length === 0) throw new Error(`there are no files in ${folder}`)
  process.stdout.write(`\nCelery quickstart: ${files.length} files of ${folder}, one task each\n\n`)

  await using _app = app
  await using worker = new WorkerProcess(fileURLToPath(new URL('./tasks.js', import.meta.url)))
  process.stdout.write(`  client  process ${process.pid}: sends the tasks and reads the results\n`)
  process.stdout.write(`  worker  process ${worker.pid}: runs them in its pool of child processes\n`)
  process.stdout.write(
    `  broker  ${app.brokerAddress.replace('sqlite:///', '')}: the queue and the results, one local file\n\n`,
  )
  try {
    await inspectAll(files, unreadable, folder, AbortSignal.any([interrupted, worker.ended]))
  } catch (error) {
    await worker.stop('SIGQUIT')
    await purge().catch(() => {}) // What went wrong first says more.
    throw error
  }
}

async function inspectAll(
  files: readonly string[],
  unreadable: readonly Unreadable[],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const progress = new ProgressBar(files.length, process.stdout)
  const reports: FileReport[] = []
  const failures = [...unreadable]
  const inspect = async (path: string, signal: AbortSignal): Promise<void> => {
    const result = await inspectFile.delay(path)
    // No timeout: a file takes as long as it takes, and the signal tells when nobody is there to answer.
    const report: FileReport | Error = await result.get({ propagate: false, signal })
    if (report instanceof Error) failures.push({ path, reason: report.message })
    else reports.push(report)
    progress.advance()
  }
  // The first task also waits for the worker to start; the clock runs from its result.
  const [first, ...others] = files
  await inspect(first as string, signal)
  const started = performance.now()
  await eachInParallel(others, { width: inFlight, signal }, inspect)
  const seconds = (performance.now() - started) / 1_000

  process.stdout.write(summary(reports, failures, folder))
  if (others.length === 0) return
  process.stdout.write(`\n  ${Math.round(others.length / seconds)} tasks/s: sent, run, stored and read back\n`)
}

/** Nobody waits any more for what is still in the queue. */
async function purge(): Promise<void> {
  await using connection = app.connectionForWrite()
  await (await connection.broker()).purgeQueue(app.conf.taskDefaultQueue)
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error('interrupted')))
}
const folder = process.argv[2] ?? fileURLToPath(new URL('../../..', import.meta.url))
main(resolve(folder), interrupted.signal).catch((error: unknown) => {
  process.stderr.write(`\nquickstart: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = interrupted.signal.aborted ? 130 : 1
})
