import { printableLines, writeToStderr } from '@celery/app/internal'
import { CeleryError } from '@celery/promises'
import type { AskedWorker, HealthReport } from '@celery/worker/health-client'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { exitNoWorker } from '../failures.ts'
import { healthText } from '../health-text.ts'
import { parseAmountOption } from '../parse-option.ts'

interface HealthFlags {
  readonly hostname?: string
  readonly live?: boolean
  readonly json?: boolean
  readonly timeout: number
}

/** `celery health`: asks a worker on this machine how it is. */
export function healthCommand(program: Command, context: CommandContext): void {
  program
    .command('health')
    .description('tell whether a worker on this machine takes tasks and can run them')
    .option('-n, --hostname <name>', 'node name of the worker (default: the only one there is)')
    .option('--live', 'ask only whether it is worth waiting for: its main loop is not blocked for a minute')
    .option('--json', 'print all that is known, in JSON')
    .option('--timeout <seconds>', 'wait so long for its answer', parseAmountOption, 10)
    .addHelpText('after', examples)
    .action((flags: HealthFlags) => tellHealth(context, flags))
}

const examples = `
Asks over a socket in a folder of your own, without the broker and without the app. Exit status: 0 it is well; 1 it is not,
or does not answer; 2 there is no such worker, or there are several and none was named.

Examples:
  celery health
  celery health -n video@web1 --json`

async function tellHealth(context: CommandContext, flags: HealthFlags): Promise<void> {
  const { askWorkers } = await import('@celery/worker/health-client')
  const { hostname: node, timeout } = flags
  let asked: readonly AskedWorker[]
  try {
    asked = await askWorkers({ node, timeoutMs: Math.max(1, timeout * 1_000) })
  } catch (error) {
    // A folder that others can write to: whoever answers there is no worker of this user.
    if (!CeleryError.is(error, 'ERR_CELERY_HEALTH_ADDRESS')) throw error
    say(error.message)
    context.status = exitNoWorker
    return
  }
  const chosen = asked.filter(({ isMeant }) => isMeant)
  if (chosen.length === 0) {
    const what = node === undefined ? 'no worker of this user runs' : `no worker called ${node} runs`
    say(`${what} on this machine${listed(asked)}`)
    context.status = exitNoWorker
  } else if (chosen.length > 1 && node === undefined) {
    say(`which one? Name it with -n${listed(asked)}`)
    context.status = exitNoWorker
  } else {
    for (const worker of chosen) tell(worker, flags)
    context.status = chosen.every(({ report }) => report !== undefined && isWell(report, flags)) ? 0 : 1
  }
}

function tell(worker: AskedWorker, { json, live }: HealthFlags): void {
  const { report } = worker
  if (report === undefined) say(`the worker at ${worker.path} does not tell how it is: ${worker.problem}`)
  else if (json === true) process.stdout.write(`${JSON.stringify(report)}\n`)
  else if (live === true) process.stdout.write(`${report.node} is ${report.live ? '' : 'not '}live\n`)
  // A reason may quote what a broker said.
  else process.stdout.write(`${printableLines(healthText(report, Date.now()))}\n`)
}

function isWell({ live, ready }: HealthReport, flags: HealthFlags): boolean {
  return flags.live === true ? live : ready
}

function listed(asked: readonly AskedWorker[]): string {
  if (asked.length === 0) return ''
  const lines = asked.map(
    ({ path, report }) => `  ${report === undefined ? path : `${report.node} (process ${report.pid})`}`,
  )
  return `; there ${lines.length === 1 ? 'is' : 'are'}:\n${lines.join('\n')}`
}

function say(text: string): void {
  writeToStderr(`celery: ${printableLines(text)}\n`)
}
