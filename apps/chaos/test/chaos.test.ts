/** The short form of the chaos run: real processes, real kills. The long form is the command. */
import { existsSync, rmSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { chaos } from '../src/chaos.ts'
import { groupMembers } from '../src/harness/processes.ts'
import type { ChaosOptions } from '../src/options.ts'
import { describeReport, summaryLine } from '../src/report.ts'
import type { Bug } from '../src/setup.ts'

const defaults: ChaosOptions = {
  tasks: 600,
  faults: 25,
  seed: 1,
  workers: 3,
  children: 2,
  leaseMs: 1_500,
  pace: 0.8,
  directory: undefined,
  separateResults: false,
  verbose: false,
  bug: undefined,
  bugEvery: 1_000,
}

async function run(options: Partial<ChaosOptions>) {
  const report = await chaos({ ...defaults, ...options })
  onTestFinished(() => rmSync(report.directory, { recursive: true, force: true }))
  return report
}

test('P-1 P-2 P-3 P-7 P-10 F-02 F-03 F-04: 25 faults lose nothing, leave nothing behind and repeat only what they hit', async () => {
  const groups: number[] = []
  const report = await chaos({ ...defaults }, { onFault: ({ kind, pid }) => kind === 'worker' && groups.push(pid) })
  onTestFinished(({ task }) => {
    if (task.result?.state === 'pass') rmSync(report.directory, { recursive: true, force: true })
  })
  expect(report.reasons, `${report.directory}\n${describeReport(report).join('\n')}`).toEqual([])
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

describe.concurrent('a run with a bug fails for the right reason', () => {
  const small: Partial<ChaosOptions> = { tasks: 200, faults: 8, workers: 2, leaseMs: 1_000, pace: 0.6 }
  const cases: readonly (readonly [Bug, number, RegExp])[] = [
    ['ack-early', 1, /^lost: task \S+ started and never ended/],
    ['drop', 20, /^lost: task \S+ was confirmed and never started/],
    ['send-twice', 20, /^unexplained: task \S+ started again/],
    ['false-explanation', 1, /^unexplained: task \S+ started again/],
    ['overwrite', 10, /^result: of task \S+ SUCCESS of attempt \S+ became SUCCESS of attempt somebody-elses/],
    ['hold', 20, /^stuck: the message of task \S+ is still there, held/],
  ]
  test.each(cases)(
    '%s',
    async (bug, bugEvery, reason) => {
      const report = await run({ ...small, bug, bugEvery, seed: 5 })
      expect(existsSync(report.directory)).toBe(true)
      expect(report.reasons.filter((found) => reason.test(found)).length, report.reasons.join('\n')).toBeGreaterThan(0)
    },
    120_000,
  )
})
