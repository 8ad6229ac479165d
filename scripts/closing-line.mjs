/** @import { Reporter, TestModule } from 'vitest/node' */

/**
 * A Vitest reporter that ends a run with one plain line of fixed form, `N passed, N failed, N skipped`, for programs
 * and for people who only look at the end. It counts tests; a file or a hook that broke outside of a test counts as
 * one failure, so that `0 failed` always means that nothing did.
 *
 * @implements {Reporter}
 */
export class ClosingLine {
  /**
   * @param {readonly TestModule[]} modules
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    for (const module of modules) {
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        // A test that never ended, because its process did, has not passed.
        count[state === 'pending' ? 'failed' : state] += 1
      }
    }
    process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`)
  }
}
