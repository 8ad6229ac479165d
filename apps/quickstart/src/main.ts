/**
 * Celery at work with nothing installed but Node: sends one task for each file of a folder to a worker in another
 * process, and shows what comes back.
 *
 * Usage: npm start [-- FOLDER]
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFiles } from './find-files.ts'
import { ProgressBar } from './progress-bar.ts'
import { app, type FileReport, inspectFile } from './tasks.ts'
import { WorkerProcess } from './worker-process.ts'

async function main(folder: string): Promise<void> {
  const files = await findFiles(folder)
  if (files.length === 0) throw new Error(`there are no files in ${folder}`)
  process.stdout.write(`\nCelery quickstart: ${files.length} files of ${folder}, one task each\n\n`)

  await using _app = app
  await using worker = new WorkerProcess(fileURLToPath(new URL('./tasks.js', import.meta.url)))
  process.stdout.write(`  client  process ${process.pid}: sends the tasks and reads the results\n`)
  process.stdout.write(`  worker  process ${worker.pid}: runs them in its pool of child processes\n`)
  process.stdout.write(
    `  broker  ${app.brokerAddress.replace('sqlite:///', '')}: the queue and the results, one local file\n\n`,
  )

  const progress = new ProgressBar(files.length, process.stdout)
  // The first task also waits for the worker to start; the clock runs from its result.
  const [first, ...others] = files
  const reports = [await Promise.race([report(first as string, progress), worker.failed()])]
  const started = performance.now()
  const rest = Promise.all(others.map((file) => report(file, progress)))
  reports.push(...(await Promise.race([rest, worker.failed()])))
  const seconds = (performance.now() - started) / 1_000

  process.stdout.write(table(reports, folder))
  process.stdout.write(`\n  ${Math.round(others.length / seconds)} tasks/s: sent, run, stored and read back\n`)
}

async function report(file: string, progress: ProgressBar): Promise<FileReport> {
  const result = await inspectFile.delay(file)
  const value = await result.get({ timeout: 60 })
  progress.advance()
  return value
}

function table(reports: readonly FileReport[], folder: string): string {
  const largest = [...reports].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 10)
  const rows = largest.map(({ path, sizeBytes, words, sha256 }) =>
    [
      sizeBytes.toLocaleString('en').padStart(12),
      words.toLocaleString('en').padStart(10),
      sha256.slice(0, 12),
      path.replace(`${folder}/`, ''),
    ].join('  '),
  )
  return `\n  The ten largest:\n\n${['       bytes       words  sha256        file', ...rows].map((row) => `  ${row}\n`).join('')}`
}

const folder = process.argv[2] ?? fileURLToPath(new URL('../../..', import.meta.url))
main(resolve(folder)).catch((error: unknown) => {
  process.stderr.write(`\nquickstart: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
