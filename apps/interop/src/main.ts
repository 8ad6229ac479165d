/** `npm run interop`: clients and workers of Python Celery and of ours beside each other. */
import { once } from 'node:events'
import { type InteropOptions, readOptions, UsageError, usage } from './options.ts'
import { reportLine, summaryLine } from './report.ts'
import { runInterop } from './run-interop.ts'

async function main(): Promise<number> {
  let options: InteropOptions
  try {
    options = readOptions(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`interop: ${error.message}\n\n${usage}`)
    return 2
  }
  const keep = async (place: { readonly redis: string; readonly folder: string }): Promise<void> => {
    print(`kept: ${place.redis}, notes and gates in ${place.folder}; Ctrl-C ends`)
    await once(process, 'SIGINT')
  }
  const reports = await runInterop(options, {
    onReport: (report) => print(reportLine(report)),
    keep: options.keep ? keep : undefined,
  })
  const unmatched = reports.length === 0
  if (unmatched) process.stderr.write(`interop: no cell matches ${options.only}\n`)
  print(summaryLine(reports))
  return unmatched || reports.some(({ failure }) => failure !== undefined) ? 1 : 0
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

main().then(
  (status) => {
    process.exitCode = status
  },
  (error: unknown) => {
    process.stderr.write(`interop: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  },
)
