import { fileURLToPath } from 'node:url'
import { type PythonWorker, startPythonCeleryWorker } from '@celery/test-servers'
import { ledgerPath } from '../ledger.ts'
import type { Setup } from '../setup.ts'
import type { Testbed } from '../testbed/testbed.ts'

/** Pool processes of each. */
export const pythonChildren = 2

const app = fileURLToPath(new URL('../../python/chaos_tasks.py', import.meta.url))

/** Workers of the original on the same queue, which run the same tasks and write the same ledger. Nothing is done to them. */
export class PythonWorkers implements AsyncDisposable {
  readonly #workers: readonly PythonWorker[]

  private constructor(workers: readonly PythonWorker[]) {
    this.#workers = workers
  }

  /** Resolves when all are ready. @throws MissingServerError where Python Celery is not installed */
  static async start(count: number, { directory }: Setup, testbed: Testbed): Promise<PythonWorkers> {
    const { broker, results } = testbed.addresses('python')
    return new PythonWorkers(
      await Promise.all(
        Array.from({ length: count }, () =>
          startPythonCeleryWorker({
            appPath: app,
            broker,
            backend: results,
            args: [`--concurrency=${pythonChildren}`],
            env: { CELERY_CHAOS_LEDGER: ledgerPath(directory, 'tasks') },
          }),
        ),
      ),
    )
  }

  /** Warm shutdown of all. */
  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
