/** `npm run fuzz`: spoiled messages against a live worker, or with `--decoders` spoiled bytes against every decoder. */
import { fuzzDecoders } from './fuzz-decoders.ts'
import { fuzzWorker } from './fuzz-worker.ts'
import { type FuzzOptions, readOptions, UsageError, usage } from './options.ts'
import { type Report, summaryLine } from './report.ts'

async function main(): Promise<number> {
  let options: FuzzOptions
  try {
    options = readOptions(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`fuzz: ${error.message}\n\n${usage}`)
    return 2
  }
  print(`fuzz: ${options.cases} cases${options.decoders ? ' for each decoder' : ''}, seed ${options.seed}`)
  if (options.bug !== undefined) print(`with the bug ${options.bug}: this run has to fail`)
  const report = await run(options)
  for (const remark of report.remarks) print(remark)
  for (const reason of report.reasons) print(`FAILED ${reason}`)
  print(summaryLine(report))
  return report.reasons.length === 0 ? 0 : 1
}

function run({ decoders, ...options }: FuzzOptions): Promise<Report> {
  if (decoders) return fuzzDecoders({ ...options, dense: true }, print)
  return fuzzWorker({ ...options, goodMs: 2_000, stuckMs: 15_000 }, print)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

// The worker ends with this process, however it ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

main().then(
  (status) => {
    process.exitCode = status
  },
  (error: unknown) => {
    process.stderr.write(`fuzz: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  },
)
