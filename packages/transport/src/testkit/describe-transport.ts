import type { OpenBroker } from './broker-under-test.ts'
import { defaultDeadlineMs, type RunCaseOptions, runCase } from './run-case.ts'
import { transportCases } from './transport-cases.ts'

/** The two functions of a test framework that the kit needs; Vitest, Jest and `node:test` have them. */
export interface TestFramework {
  describe(name: string, define: () => void): unknown
  test(name: string, run: (context: SkippableContext) => Promise<void>, timeoutMs: number): unknown
}

/** What Vitest and `node:test` hand to a test. Where it is missing, a case that is not needed passes. */
export type SkippableContext = { skip?: (reason?: string) => void } | undefined

/**
 * Runs the whole kit, one test for each case: `describeTransport('memory', openBroker, { describe, test })`.
 * What the transport does not promise, or cannot show, is shown as skipped.
 */
export function describeTransport(
  name: string,
  openBroker: OpenBroker,
  framework: TestFramework,
  options: RunCaseOptions = {},
): void {
  const timeoutMs = 5 * (options.deadlineMs ?? defaultDeadlineMs)
  framework.describe(`the ${name} transport`, () => {
    for (const testCase of transportCases) {
      const run = async (context: SkippableContext): Promise<void> => {
        if ((await runCase(testCase, openBroker, options)) === 'skipped')
          context?.skip?.('not among its capabilities, or its clock cannot be moved')
      }
      framework.test(testCase.name, run, timeoutMs)
    }
  })
}
