/** The short form of the fuzz run: a real worker. The long form is the command. */
import { describe, expect, test } from 'vitest'
import { fuzzDecoders } from '../src/fuzz-decoders.ts'
import { type FuzzWorkerOptions, fuzzWorker } from '../src/fuzz-worker.ts'
import { type Report, summaryLine } from '../src/report.ts'
import type { Bug } from '../src/setup.ts'

/** A busy machine gets time: the figures of the requirement are those of the command. */
const defaults: FuzzWorkerOptions = {
  broker: 'sqlite',
  cases: 2_000,
  seed: 1,
  batch: 100,
  goodMs: 20_000,
  stuckMs: 30_000,
  bug: undefined,
}

function quietly(options: FuzzWorkerOptions): Promise<Report> {
  return fuzzWorker(options, () => {})
}

test('P-6: of 2,000 spoiled messages each ends as a result or a dead letter, and the worker works on', async () => {
  const report = await quietly(defaults)
  expect(report.reasons).toEqual([])
  expect(summaryLine(report)).toBe('cases=2000 exits=0 unhandled=0 slow=0')
}, 240_000)

test('spoiled bytes give a value or a decode error, in every format', async () => {
  const report = await fuzzDecoders({ cases: 500, seed: 1 }, () => {})
  expect(report.reasons).toEqual([])
  expect(report.cases).toBe(500 * 12)
}, 120_000)

describe('a worker with a bug is found out', () => {
  const cases: readonly [bug: Bug, reason: RegExp, more: Partial<FuzzWorkerOptions>][] = [
    ['exit', /^exit: the worker ended/, {}],
    ['unhandled', /^unhandled: .*Error: planted/, {}],
    ['slow', /^slow: a good task .* took/, { goodMs: 2_000 }],
    ['drop', /: it is gone, and /, { stuckMs: 10_000 }],
    ['hold', /: it is still in the queue/, { stuckMs: 1_000 }],
    ['silent', /: its result is missing/, { stuckMs: 10_000 }],
    ['leak', /^memory: a process of the worker grew/, { cases: 1_000 }],
  ]
  test.each(cases)(
    '%s',
    async (bug, reason, more) => {
      const { exits, reasons, slow, unhandled } = await quietly({ ...defaults, cases: 300, batch: 50, ...more, bug })
      expect(reasons.filter((found) => reason.test(found)).length, reasons.join('\n')).toBeGreaterThan(0)
      expect({ exit: exits, unhandled, slow }[bug as string] ?? 1).toBeGreaterThan(0)
    },
    120_000,
  )
})
