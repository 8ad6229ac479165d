import type { OpenBroker } from './broker-under-test.ts'
import { CaseContext } from './case-context.ts'
import type { TransportCase } from './transport-case.ts'

export interface RunCaseOptions {
  /** Milliseconds that each wait of a case may take, and a third of what the whole case may. @defaultValue `10_000` */
  readonly deadlineMs?: number
}

/**
 * Runs one case on a broker of its own. Resolves to `'skipped'` where the transport does not promise what it is about, or cannot show it;
 * rejects where it fails, also where it hangs.
 */
export async function runCase(
  testCase: TransportCase,
  openBroker: OpenBroker,
  options: RunCaseOptions = {},
): Promise<'passed' | 'skipped'> {
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs
  const broker = await openBroker()
  const context = new CaseContext(broker, deadlineMs)
  try {
    if (testCase.needs?.(broker.capabilities) === false) return 'skipped'
    if (testCase.needsClock === true && broker.advance === undefined) return 'skipped'
    try {
      await withinDeadline(testCase.run(context), 3 * deadlineMs, testCase.name)
    } catch (error) {
      // That it cannot be closed either must not hide why it failed.
      await context.closeAll().catch(() => {})
      throw error
    }
    await context.closeAll()
    return 'passed'
  } finally {
    await broker[Symbol.asyncDispose]()
  }
}

export const defaultDeadlineMs = 10_000

async function withinDeadline(run: Promise<void>, ms: number, name: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the case "${name}" did not end within ${ms} ms`)), ms)
  })
  try {
    await Promise.race([run, late])
  } finally {
    clearTimeout(timer)
  }
}
