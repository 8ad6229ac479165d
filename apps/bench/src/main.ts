/**
 * Measures speed side by side with peers.
 *
 * Usage: npm run bench -- --suite NAME --json FILE [--runs 5]
 */
import { bench } from './bench.ts'

bench(process.argv.slice(2), {
  result: (text) => void process.stdout.write(text),
  progress: (text) => void process.stderr.write(text),
}).then(
  (status) => {
    process.exitCode = status
  },
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  },
)
