/** The short form of the fuzz run on Redis: a real worker, a real server. The long form is the command. */
import { isMissing } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { type FuzzWorkerOptions, fuzzWorker } from '../src/fuzz-worker.ts'
import { summaryLine } from '../src/report.ts'

/** A busy machine gets time: the figures of the requirement are those of the command. */
const defaults: FuzzWorkerOptions = {
  broker: 'redis',
  cases: 1_000,
  seed: 1,
  batch: 100,
  goodMs: 20_000,
  stuckMs: 30_000,
  bug: undefined,
}

describe.skipIf(isMissing('redis'))('on Redis', () => {
  test('P-6: of 1,000 spoiled messages each ends as a result or a dead letter, whatever stands in the keys beside them', async () => {
    const report = await fuzzWorker(defaults, () => {})
    expect(report.reasons).toEqual([])
    expect(summaryLine(report)).toBe('cases=1000 exits=0 unhandled=0 slow=0')
  }, 240_000)

  test.each([
    ['drop', /: it is gone, and /, 10_000],
    ['hold', /: it is still in the queue/, 1_000],
  ] as const)(
    'a worker with a bug is found out: %s',
    async (bug, reason, stuckMs) => {
      const { reasons } = await fuzzWorker({ ...defaults, cases: 300, batch: 50, stuckMs, bug }, () => {})
      expect(reasons.filter((found) => reason.test(found)).length, reasons.join('\n')).toBeGreaterThan(0)
    },
    240_000,
  )
})
