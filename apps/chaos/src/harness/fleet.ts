import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Setup, setupEnvironment } from '../setup.ts'
import type { Testbed } from '../testbed/testbed.ts'
import { GroupProcess, type ProcessExit } from './group-process.ts'
import type { Guard } from './guard.ts'

/** Milliseconds before a worker that ended by itself is started again. */
const restMs = 500

const require = createRequire(import.meta.url)

export interface FleetOptions {
  readonly setup: Setup
  readonly testbed: Testbed
  readonly guard: Guard
  readonly workers: number
  readonly children: number
  /** Something happened that no fault explains. */
  readonly onTrouble: (reason: string) => void
}

/** One place in the fleet: a worker, and the one that takes its place when it was killed. */
export class WorkerSlot {
  readonly index: number
  process: GroupProcess
  /** A fault is being carried out on it. */
  isBusy = false

  constructor(index: number, process: GroupProcess) {
    this.index = index
    this.process = process
  }
}

/** The workers, each started by the `celery` command, and the client. All are started again when they were killed. */
export class Fleet {
  readonly slots: readonly WorkerSlot[]
  /** Milliseconds that the children of a killed worker lived on, at most. */
  longestOrphanMs = 0
  readonly #options: FleetOptions
  readonly #farewells: Promise<void>[] = []
  #client: GroupProcess | undefined
  #clientDone = false
  #isClosing = false

  constructor(options: FleetOptions) {
    this.#options = options
    this.slots = Array.from({ length: options.workers }, (_none, index) => {
      const slot: WorkerSlot = new WorkerSlot(index, this.#startWorker(index))
      void this.#attend(slot)
      return slot
    })
  }

  /** Workers that nobody is doing anything to and that have begun to fetch. */
  ready(hasSession: (pid: number) => boolean): WorkerSlot[] {
    return this.slots.filter(({ isBusy, process }) => !isBusy && !process.hasExited && hasSession(process.pid))
  }

  get client(): GroupProcess | undefined {
    return this.#client
  }

  /** Whether the client has had all tasks confirmed. */
  get clientDone(): boolean {
    return this.#clientDone
  }

  startClient(): void {
    const { setup, testbed, guard, onTrouble } = this.#options
    const client = new GroupProcess({
      args: [require.resolve('@celery-apps/chaos/client')],
      env: setupEnvironment(setup, testbed.addresses('client')),
      output: join(setup.directory, 'client.log'),
      guard,
    })
    this.#client = client
    void client.exited.then((exit) => {
      guard.forget(client.pid)
      if (exit.status === 0) this.#clientDone = true
      else if (this.#isClosing) return
      else if (client.isExpected) this.startClient()
      else onTrouble(`client: it ended by itself with ${describe(exit)}, see ${join(setup.directory, 'client.log')}`)
    })
  }

  /** Starts a worker where one was killed. */
  replace(slot: WorkerSlot): void {
    if (this.#isClosing) return
    slot.process = this.#startWorker(slot.index)
    void this.#attend(slot)
  }

  /** Warm shutdown of all. Resolves when no process of theirs is left. */
  async stop(limitMs: number): Promise<void> {
    this.#isClosing = true
    if (!this.#clientDone) this.#client?.kill()
    await Promise.all(
      this.slots.map(async ({ index, process }) => {
        if (process.hasExited) return
        if (!(await process.stop(limitMs))) {
          this.#options.onTrouble(`stop: worker ${index} did not end within ${limitMs} ms of SIGTERM`)
        }
      }),
    )
    await Promise.all(this.#farewells)
  }

  /** Starts nothing any more: somebody else is going to kill what there is. */
  abandon(): void {
    this.#isClosing = true
  }

  #startWorker(index: number): GroupProcess {
    const { setup, testbed, guard, children } = this.#options
    const command = join(dirname(require.resolve('celery')), '..', 'bin', 'celery.js')
    const tasks = require.resolve('@celery-apps/chaos/tasks')
    const options = ['--quiet', '--concurrency', String(children), '--hostname', `chaos${index}@localhost`]
    return new GroupProcess({
      args: [command, '-A', tasks, 'worker', ...options],
      env: setupEnvironment(setup, testbed.addresses(`worker-${index}`)),
      output: join(setup.directory, `worker-${index}.log`),
      guard,
    })
  }

  async #attend(slot: WorkerSlot): Promise<void> {
    const { process, index } = slot
    const { onTrouble, setup } = this.#options
    const farewell = process.orphansGone().then((orphanMs) => {
      if (orphanMs === undefined) onTrouble(`orphans: children of worker ${index} (${process.pid}) outlived it`)
      else this.longestOrphanMs = Math.max(this.longestOrphanMs, orphanMs)
    })
    this.#farewells.push(farewell)
    const exit = await process.exited
    if (process.isExpected || this.#isClosing) return
    onTrouble(
      `worker: ${index} (${process.pid}) ended by itself with ${describe(exit)}, see ${join(setup.directory, `worker-${index}.log`)}`,
    )
    // One that cannot start would else be started without end and without rest.
    await sleep(restMs)
    this.replace(slot)
  }
}

function describe({ status, signal }: ProcessExit): string {
  return signal === null ? `status ${status}` : `signal ${signal}`
}
