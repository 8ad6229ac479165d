import { backendCases } from './backend-cases.ts'
import type { BackendUnderTest } from './backend-under-test.ts'
import { type RunCaseOptions, runBackendCase } from './run-case.ts'

/** The two functions of a test framework that the kit needs; Vitest, Jest, Mocha and `node:test` have them. */
export interface TestFramework {
  describe(name: string, define: () => void): unknown
  test(name: string, run: (context: SkippableContext) => Promise<void>): unknown
}

/** What Vitest and `node:test` hand to a test. Where it is missing, a case that is not needed passes. */
export type SkippableContext = { skip?: (reason?: string) => void } | undefined

/** Runs the conformance kit: `describeBackend('memory', openStore, { describe, test })`. `open` is called for each case. */
export function describeBackend(
  name: string,
  open: () => Promise<BackendUnderTest>,
  framework: TestFramework,
  options?: RunCaseOptions,
): void {
  framework.describe(`${name} result backend`, () => {
    for (const backendCase of backendCases) {
      framework.test(backendCase.name, async (context) => {
        const outcome = await runBackendCase(backendCase, open, options)
        if (outcome === 'not needed') context?.skip?.('the store does not claim the ability')
      })
    }
  })
}
