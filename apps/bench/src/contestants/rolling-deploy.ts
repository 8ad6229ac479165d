import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { GuardedProcess } from '@celery/test-servers'
import type { AsyncResult } from 'celery'
import { declareAdded, declareArrive } from '../deploying-tasks.ts'
import { embeddedIn } from '../places.ts'
import { percentile } from '../statistics.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { startCeleryWorker } from './start-celery-worker.ts'

const workers = 6
/** About 200 tasks a second. */
const betweenCallsMs = 5
/** Of which every tenth is one that only new workers know. */
const addedEvery = 10

interface Call {
  readonly sentAt: number
  readonly result: AsyncResult<number>
}

/**
 * Six workers are replaced one by one by workers that know one task more, while tasks of both kinds come. What old workers
 * do not know they requeue. A task that was lost would never be answered, and ends the run.
 */
export class RollingDeploy implements Contestant {
  readonly name = 'deploy'
  readonly #file: string
  readonly #client: ReturnType<typeof declareArrive>
  readonly #added: ReturnType<typeof declareAdded>
  readonly #fleet: GuardedProcess[] = []

  constructor({ folder }: SuiteOptions) {
    this.#file = join(folder, 'deploy.db')
    this.#client = declareArrive(embeddedIn(this.#file).options)
    this.#added = declareAdded(this.#client.app)
  }

  async prepare(): Promise<void> {}

  async run(): Promise<Readings> {
    const known: Call[] = []
    const added: Call[] = []
    try {
      const names = Array.from({ length: workers }, (_, n) => `old${n}`)
      const old = await Promise.all(names.map((name) => this.#start('deploying-tasks', name)))
      const deployed = new AbortController()
      const sending = this.#send(known, added, deployed.signal)
      for (const [n, worker] of old.entries()) {
        await this.#start('deployed-tasks', `new${n}`)
        worker.signal('SIGTERM')
        await worker.exited
      }
      deployed.abort()
      await sending
      return { ...(await waits('known', known)), ...(await waits('added', added)) }
    } finally {
      await this.#end()
    }
  }

  async dispose(): Promise<void> {
    await this.#end()
    await this.#client.app.close()
  }

  async #end(): Promise<void> {
    await Promise.all(this.#fleet.splice(0).map((worker) => worker[Symbol.asyncDispose]()))
  }

  async #send(known: Call[], added: Call[], signal: AbortSignal): Promise<void> {
    for (let n = 0; !signal.aborted; n++) {
      known.push({ sentAt: Date.now(), result: await this.#client.arrive.delay() })
      if (n % addedEvery === 0) added.push({ sentAt: Date.now(), result: await this.#added.delay() })
      await delay(betweenCallsMs)
    }
  }

  async #start(module: string, name: string): Promise<GuardedProcess> {
    const args = ['-P', 'async', '-c', '2', '-n', name, '--loglevel=INFO']
    const worker = await startCeleryWorker(module, embeddedIn(this.#file), args)
    this.#fleet.push(worker)
    await worker.waitForOutput(/ ready\./)
    return worker
  }
}

/** Milliseconds from the call to the start of the task. */
async function waits(kind: string, calls: readonly Call[]): Promise<Readings> {
  const startedAt = await Promise.all(calls.map(({ result }) => result.get({ timeout: 120 })))
  const waited = startedAt.map((at, index) => at - (calls[index] as Call).sentAt)
  return { [`${kind}P50`]: percentile(waited, 50), [`${kind}P99`]: percentile(waited, 99) }
}
