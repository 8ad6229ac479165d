import { type Database, openDatabase, withBusyRetry } from '@celery/sqlite'
import { openSqliteBroker } from '@celery/transport-sqlite'
import type { Fault } from '../ledger.ts'
import { Random } from '../random.ts'
import { brokerFile, resultFile, type Setup } from '../setup.ts'
import type { LiveLedger } from './live-ledger.ts'

/** The two bugs that need a view of the whole run; `instrument.ts` has the others. */
export class Saboteur implements Disposable {
  readonly #setup: Setup
  readonly #ledger: LiveLedger
  readonly #results: Database
  readonly #broker: Database
  readonly #random: Random

  private constructor(setup: Setup, ledger: LiveLedger, results: Database, broker: Database) {
    this.#setup = setup
    this.#ledger = ledger
    this.#results = results
    this.#broker = broker
    this.#random = new Random(setup.seed, 2)
  }

  static async open(setup: Setup, ledger: LiveLedger): Promise<Saboteur> {
    return new Saboteur(setup, ledger, await openDatabase(resultFile(setup)), await openDatabase(brokerFile(setup)))
  }

  /** `overwrite`: a final result becomes another one. */
  async afterResults(tasks: readonly string[]): Promise<void> {
    if (this.#setup.bug !== 'overwrite') return
    const overwrite = this.#results.prepare(
      "UPDATE celery_results SET state = 'SUCCESS', value = ? WHERE key = 'celery-task-meta-' || ?",
    )
    for (const task of tasks) {
      if (this.#random.next() * this.#setup.bugEvery >= 1) continue
      const record = { status: 'SUCCESS', result: 'somebody-elses', traceback: null, children: [], task_id: task }
      await withBusyRetry(() => this.#results.transaction(() => overwrite.run([JSON.stringify(record), task])))
    }
  }

  /** `false-explanation`: a task runs twice, on a healthy worker, just after a fault elsewhere. */
  async afterFault(fault: Fault, workerPid: number | undefined, workerPids: readonly number[]): Promise<void> {
    if (this.#setup.bug !== 'false-explanation') return
    const healthy = workerPids.filter((pid) => pid !== fault.pid && pid !== workerPid)
    const task = this.#random.pick(healthy.flatMap((pid) => this.#ledger.runningOn(pid)))
    if (task === undefined) return
    const row = this.#broker
      .prepare(
        `SELECT q.name, c.rank, m.payload FROM claim c
          JOIN message m ON m.id BETWEEN c.first AND c.last JOIN queue q ON q.id = m.queue
          WHERE json_extract(m.payload, '$.headers.id') = ? LIMIT 1`,
      )
      .values([task])[0]
    if (row === undefined) return
    const [queue, rank, payload] = row
    await using broker = await openSqliteBroker({ path: brokerFile(this.#setup) })
    const copy = { queue: String(queue), priority: 9 - Number(rank), payload: String(payload) }
    await broker.put([{ ...copy, tag: `copy-of-${task}-${fault.index}` }])
  }

  [Symbol.dispose](): void {
    this.#results.close()
    this.#broker.close()
  }
}
