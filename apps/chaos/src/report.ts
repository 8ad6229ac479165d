import type { RunReport } from './harness/run.ts'
import type { Fault } from './ledger.ts'

/** Reasons shown; a broken broker has one for every task. */
const mostReasons = 30

/** What the processes logged of the tasks that the reasons name. */
const mostLogLines = 50

/** What a run found, for people; the last line is for programs. */
export function describeReport(report: RunReport): string[] {
  const { verdict, rates } = report
  const kinds = [...report.faults].map(([kind, count]) => `${count} ${kind}`).join(', ')
  const lines = [
    `faults: ${kinds === '' ? 'none' : kinds}; ${report.faultsPerMinute.toFixed(0)} a minute`,
    rates === undefined
      ? 'rate: too few faults to compare'
      : `rate: ${rates.calm.toFixed(1)} tasks/s without faults, ${rates.faulty.toFixed(1)} with (${Math.round((rates.faulty / rates.calm) * 100)} %)`,
    `started again: ${describeDuplicates(report)}`,
    `publishes without an answer whose tasks never ran: ${verdict.unknown} tasks; rejected: ${describeRejected(report)}`,
    `children of killed workers ended within ${report.longestOrphanMs} ms`,
    `took ${(report.durationMs / 1_000).toFixed(1)} s`,
  ]
  for (const reason of report.reasons.slice(0, mostReasons)) lines.push(`FAILED ${reason}`)
  const more = report.reasons.length - mostReasons
  if (more > 0) lines.push(`FAILED and ${more} more`)
  for (const line of report.logLines.slice(0, mostLogLines)) lines.push(`log: ${line}`)
  lines.push(summaryLine(report))
  return lines
}

/** Of the embedded broker nothing has to recover: it is a file. */
export function summaryLine({ verdict }: RunReport): string {
  const { sent, done, lost, duplicates, stuck, recoveryMs, takeoverMs } = verdict
  const explained = duplicates.filter(({ fault }) => fault !== undefined).length
  return [
    `sent=${sent}`,
    `done=${done}`,
    `lost=${lost.length}`,
    `duplicated=${duplicates.length}`,
    `explained=${explained}`,
    `stuck=${stuck.length}`,
    `recovery_p100_ms=${recoveryMs}`,
    `takeover_p100_ms=${takeoverMs}`,
  ].join(' ')
}

export function describeFault({ index, kind, pid, time, endTime, inFlight, running, cut }: Fault): string {
  const what = {
    child: `kill child ${pid}`,
    worker: `kill worker ${pid}`,
    client: `kill client ${pid}`,
    pause: `pause worker ${pid}`,
    broker: 'kill broker',
    connection: `cut (${cut?.how}, ${cut?.all === true ? 'all' : 'one'}) ${pid}`,
  }[kind]
  const lasted = endTime === time ? '' : ` for ${endTime - time} ms`
  const held = kind === 'client' ? '' : `: ${inFlight.length} in flight, running ${running.join(' ') || 'none'}`
  return `${new Date(time).toISOString().slice(11, 23)} fault ${index} ${what}${lasted}${held}`
}

function describeRejected({ verdict }: RunReport): string {
  const rejected = [...verdict.rejected].map(([code, count]) => `${count} ${code}`).join(', ')
  return rejected === '' ? 'none' : rejected
}

/** By what hit them: a broker that comes back, or a connection, should hardly repeat anything. */
function describeDuplicates({ verdict }: RunReport): string {
  const counts = new Map<string, number>()
  for (const { fault } of verdict.duplicates) {
    const kind = fault?.kind ?? 'unexplained'
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ') || 'none'
}
