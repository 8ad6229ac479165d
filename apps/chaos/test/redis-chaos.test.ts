/** The short form of the chaos run on Redis: real processes, a real server, real kills and cuts. The long form is the command. */
import { rmSync } from 'node:fs'
import { isMissing } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { chaos } from '../src/chaos.ts'
import type { ChaosOptions } from '../src/options.ts'
import { describeReport, summaryLine } from '../src/report.ts'

const defaults: ChaosOptions = {
  broker: 'redis',
  topology: 'single',
  tasks: 400,
  faults: 15,
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

/** Of a run in which all went well; where something did not, the report says what. */
async function quietly(options: Partial<ChaosOptions>): Promise<Awaited<ReturnType<typeof chaos>>> {
  // Faults come so fast here, and others' tests beside them, that the speed says nothing; the long form looks at it.
  const report = await chaos({ ...defaults, ...options }, { leastRate: 0, slackMs: 30_000 })
  expect(report.reasons, `${report.directory}\n${describeReport(report).join('\n')}`).toEqual([])
  rmSync(report.directory, { recursive: true, force: true })
  return report
}

describe.skipIf(isMissing('redis'))('on Redis', () => {
  test('P-1 P-2 P-3 P-4 P-7 P-10 F-02 F-03 F-04 F-16: 18 faults lose nothing and repeat only what they hit', async () => {
    const report = await quietly({})
    const { verdict } = report
    expect(verdict).toMatchObject({ lost: [], stuck: [] })
    expect(verdict.sent).toBeGreaterThanOrEqual(400)
    expect(verdict.done).toBe(verdict.sent)
    expect(Object.fromEntries(report.faults)).toEqual({
      child: 6,
      worker: 3,
      broker: 3,
      connection: 3,
      pause: 2,
      client: 1,
    })
    expect(summaryLine(report)).toMatch(
      /^sent=\d+ done=\d+ lost=0 duplicated=\d+ explained=\d+ stuck=0 recovery_p100_ms=\d+ takeover_p100_ms=\d+$/,
    )
  }, 240_000)

  describe('a run with a bug fails for the right reason', () => {
    const cases: readonly (readonly [Partial<ChaosOptions>, RegExp])[] = [
      [{ bug: 'lose-cut', bugEvery: 1, cut: 'delivery' }, /^lost: task \S+ /],
      [{ bug: 'forget-tag', bugEvery: 1, cut: 'publish' }, /^unexplained: task \S+ started again/],
      // Long enough for the others to go on without it.
      [
        { bug: 'stay-away', bugEvery: 1, cut: 'delivery', faults: 1, pace: 6 },
        /^recovery: after fault 0 \(connection\)/,
      ],
    ]
    test.each(cases)(
      '%o',
      async (options, reason) => {
        const small = { tasks: 120, faults: 3, workers: 2, seed: 5, pace: 0.5 }
        const report = await chaos({ ...defaults, ...small, ...options }, { leastRate: 0 })
        rmSync(report.directory, { recursive: true, force: true })
        expect(report.reasons.filter((found) => reason.test(found)).length, report.reasons.join('\n')).toBeGreaterThan(
          0,
        )
      },
      240_000,
    )
  })
})
