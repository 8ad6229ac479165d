/** The short form of the chaos run: real processes, real kills. The long form is the command. */
import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { chaos } from '../src/chaos.ts'
import { groupMembers } from '../src/harness/processes.ts'
import type { ChaosOptions } from '../src/options.ts'
import { describeReport, summaryLine } from '../src/report.ts'
import type { Bug } from '../src/setup.ts'

const defaults: ChaosOptions = {
  broker: 'sqlite',
  topology: 'single',
  tasks: 600,
  faults: 25,
  cut: undefined,
  python: 0,
  seed: 1,
  workers: 3,
  children: 2,
  // A machine that is busy with other tests must not be taken for a fault.
  leaseMs: 3_000,
  pace: 0.8,
  directory: undefined,
  separateResults: false,
  verbose: false,
  bug: undefined,
  bugEvery: 1_000,
}

test('P-1 P-2 P-3 P-7 P-10 F-02 F-03 F-04: 25 faults lose nothing, leave nothing behind and repeat only what they hit', async () => {
  const groups: number[] = []
  const report = await chaos(defaults, {
    onFault: ({ kind, pid }) => {
      if (kind === 'worker') groups.push(pid)
    },
    // Faults come so fast here that the speed says nothing; the long form looks at it.
    leastRate: 0,
    slackMs: 30_000,
  })
  expect(report.reasons, `${report.directory}\n${describeReport(report).join('\n')}`).toEqual([])
  rmSync(report.directory, { recursive: true, force: true })
  const { verdict } = report
  expect(verdict).toMatchObject({ lost: [], stuck: [] })
  expect(verdict.duplicates.filter(({ fault }) => fault === undefined)).toEqual([])
  expect(verdict.sent).toBeGreaterThanOrEqual(600)
  expect(verdict.done).toBe(verdict.sent)
  expect(verdict.duplicates.length).toBeGreaterThan(0)
  expect(Object.fromEntries(report.faults)).toEqual({ child: 10, worker: 5, client: 5, pause: 5 })
  expect(groups.flatMap(groupMembers)).toEqual([])
  expect(summaryLine(report)).toMatch(
    /^sent=\d+ done=\d+ lost=0 duplicated=\d+ explained=\d+ stuck=0 recovery_p100_ms=0 takeover_p100_ms=\d+$/,
  )
}, 120_000)

describe('a run with a bug fails for the right reason', () => {
  const cases: readonly BugCase[] = [
    { bug: 'ack-early', bugEvery: 1, faults: 6, reason: /^lost: task \S+ started and never ended/ },
    { bug: 'drop', bugEvery: 20, faults: 0, reason: /^lost: task \S+ was confirmed and never started/ },
    { bug: 'send-twice', bugEvery: 20, faults: 0, reason: /^unexplained: task \S+ started again/ },
    { bug: 'false-explanation', bugEvery: 1, faults: 6, reason: /^unexplained: task \S+ started again/ },
    { bug: 'overwrite', bugEvery: 10, faults: 0, reason: /^result: .* became SUCCESS of attempt somebody-elses$/ },
    { bug: 'hold', bugEvery: 20, faults: 0, reason: /^stuck: the message of task \S+ is still there, held$/ },
  ]
  test.each(cases)(
    '$bug',
    async ({ reason, ...options }) => {
      const small = { tasks: 150, workers: 2, leaseMs: 1_000, seed: 5 }
      const report = await chaos({ ...defaults, ...small, ...options }, { leastRate: 0 })
      rmSync(report.directory, { recursive: true, force: true })
      expect(report.reasons.filter((found) => reason.test(found)).length, report.reasons.join('\n')).toBeGreaterThan(0)
    },
    120_000,
  )
})

interface BugCase {
  readonly bug: Bug
  readonly bugEvery: number
  readonly faults: number
  readonly reason: RegExp
}
