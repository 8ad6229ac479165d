import type { Fault } from '../ledger.ts'
import { Random } from '../random.ts'
import type { Setup } from '../setup.ts'
import type { Testbed } from '../testbed/testbed.ts'
import type { LiveLedger } from './live-ledger.ts'

/** The bugs that need a view of the whole run; `instrument.ts` has the others. */
export class Saboteur {
  readonly #setup: Setup
  readonly #ledger: LiveLedger
  readonly #testbed: Testbed
  readonly #random: Random

  constructor(setup: Setup, ledger: LiveLedger, testbed: Testbed) {
    this.#setup = setup
    this.#ledger = ledger
    this.#testbed = testbed
    this.#random = new Random(setup.seed, 2)
  }

  /** `overwrite`: a final result becomes another one. */
  async afterResults(tasks: readonly string[]): Promise<void> {
    if (this.#setup.bug !== 'overwrite') return
    for (const task of tasks) {
      if (this.#random.next() * this.#setup.bugEvery >= 1) continue
      const record = { status: 'SUCCESS', result: 'somebody-elses', traceback: null, children: [], task_id: task }
      await this.#testbed.overwriteResult(task, JSON.stringify(record))
    }
  }

  /** `lose-cut`: what a process held whose connections were cut is gone. */
  async duringCut(inFlight: readonly string[]): Promise<void> {
    if (this.#setup.bug !== 'lose-cut') return
    for (const task of inFlight) await this.#testbed.network?.dropHeld(task)
  }

  /** `false-explanation`: a task runs twice, on a healthy worker, just after a fault elsewhere. */
  async afterFault(fault: Fault, workerPid: number | undefined, workerPids: readonly number[]): Promise<void> {
    // Of a broker that is hit no worker is healthy.
    if (this.#setup.bug !== 'false-explanation' || fault.kind === 'broker') return
    const healthy = workerPids.filter((pid) => pid !== fault.pid && pid !== workerPid)
    const task = this.#random.pick(healthy.flatMap((pid) => this.#ledger.runningOn(pid)))
    if (task !== undefined) await this.#testbed.copyHeld(task)
  }
}
