import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { embeddedIn } from '../places.ts'
import { profileFolderVariable } from '../profile/record-profile.ts'
import { readProfiles, type Stretch, sharesOf } from '../profile/shares.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { drainSize, noop, senderOf, type Workload } from '../workloads.ts'
import { DrainedWorker } from './drained-worker.ts'
import { type PoolDrainOptions, warmUpDrains } from './pool-drain.ts'

/**
 * Where a pool's time goes: the same drains in processes that a profiler watches, a new worker in each run, because
 * profiles are written when a process ends. None of their times count: the profiler costs some.
 */
export class ProfiledPool implements Contestant {
  readonly name: string
  readonly #suite: SuiteOptions
  readonly #options: PoolDrainOptions

  constructor(suite: SuiteOptions, options: PoolDrainOptions) {
    this.name = options.name
    this.#suite = suite
    this.#options = options
  }

  async prepare(): Promise<void> {}

  async run(): Promise<Readings> {
    const { concurrency, name, pool, workloads } = this.#options
    const folder = await mkdtemp(join(this.#suite.folder, `${name}-`))
    const profiles = join(folder, 'profiles')
    const environment = { [profileFolderVariable]: profiles }
    const place = embeddedIn(join(folder, 'queue.db'))
    const worker = new DrainedWorker({ place, environment, concurrency, pool, profiled: true, results: false })
    const stretches = new Map<Workload, Stretch>()
    try {
      await worker.start()
      for (let drain = 0; drain < warmUpDrains; drain++) await this.#drain(worker, noop)
      for (const workload of workloads) {
        await this.#drain(worker, workload)
        stretches.set(workload, await this.#drain(worker, workload))
      }
    } finally {
      await worker.close()
    }
    const found = readProfiles(profiles)
    return Object.fromEntries(
      [...stretches].flatMap(([workload, stretch]) =>
        Object.entries(sharesOf(found, stretch)).map(([part, share]) => [shareMetric(workload, part), share]),
      ),
    )
  }

  async dispose(): Promise<void> {}

  async #drain(worker: DrainedWorker, workload: Workload): Promise<Stretch> {
    const tasks = drainSize(workload, this.#suite.tasks)
    const { seconds, startedAtMicros: from } = await worker.drain(tasks, senderOf(workload, worker.tasks))
    return { from, to: from + seconds * 1e6 }
  }
}

/** The name of the metric that says what part of its time a pool spends on one thing. */
export function shareMetric({ name }: Workload, part: string): string {
  return `${name}:${part}`
}
