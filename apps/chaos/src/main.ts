/** `npm run chaos`: runs tasks while processes are killed, and checks that nothing was lost. */
import { rmSync } from 'node:fs'
import { chaos } from './chaos.ts'
import { type ChaosOptions, readOptions, UsageError, usage } from './options.ts'
import { describeFault, describeReport } from './report.ts'

async function main(): Promise<number> {
  let options: ChaosOptions
  try {
    options = readOptions(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`chaos: ${error.message}\n\n${usage}`)
    return 2
  }
  const { broker, topology, tasks, faults, seed, workers, children, leaseMs, bug } = options
  const where = topology === 'single' ? broker : `${broker}, ${topology}`
  print(
    `chaos on ${where}: ${tasks} tasks, ${faults} faults, ${workers} workers x ${children} children, lease ${leaseMs} ms, seed ${seed}`,
  )
  if (bug !== undefined) print(`with the bug ${bug}, once in ${options.bugEvery}: this run has to fail`)
  const report = await chaos(options, {
    onProgress: print,
    ...(options.verbose ? { onFault: (fault) => print(describeFault(fault)) } : {}),
  })
  const [summary = '', ...lines] = describeReport(report).reverse()
  for (const line of lines.reverse()) print(line)
  if (report.reasons.length === 0 && options.directory === undefined) {
    rmSync(report.directory, { recursive: true, force: true })
  } else {
    print(`ledgers and files: ${report.directory}`)
  }
  print(summary)
  return report.reasons.length === 0 ? 0 : 1
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

// The guard kills what was started, however this process ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

main().then(
  (status) => {
    process.exitCode = status
  },
  (error: unknown) => {
    process.stderr.write(`chaos: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  },
)
