import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { type Fault, openLedger } from '../ledger.ts'
import { Random } from '../random.ts'
import type { Setup } from '../setup.ts'
import {
  type Cut,
  cuts,
  type Network,
  type Place,
  type PlannedCut,
  type RepliedCut,
  type Testbed,
} from '../testbed/testbed.ts'
import type { PlannedFault } from './fault-plan.ts'
import type { Fleet, WorkerSlot } from './fleet.ts'
import type { LiveLedger } from './live-ledger.ts'
import { isChildOf, pauseProcess, signal } from './processes.ts'

export interface InjectorOptions {
  readonly setup: Setup
  readonly fleet: Fleet
  readonly ledger: LiveLedger
  readonly testbed: Testbed
  /** Every cut is of this kind: of a delivery at a worker, of a publish at the client. @defaultValue of any kind, at any process */
  readonly cut: RepliedCut | undefined
  readonly onFault: (fault: Fault, slot: WorkerSlot | undefined) => void
  /** Told while a process is cut off, with what it holds. */
  readonly onCut: (inFlight: readonly string[]) => Promise<void>
}

/** Milliseconds beyond the lease for which a worker is paused, at most; half of it at least. */
const pauseBeyondMs = 2_000

/** Milliseconds after which whoever has the broker's file locked is taken to be the one that was paused. */
const lockedMs = 200
const pauseTries = 20

/** Milliseconds to wait for the client to be publishing. */
const publishWaitMs = 500

/** Milliseconds for which a broker that was killed stays away, at most. */
const mostDownMs = 1_000

/** Share of the connection faults that hit the client and not a worker. */
const clientShare = 0.25

/**
 * Carries out planned faults. Whoever is to be killed is stopped for a moment first: the broker then shows what it holds
 * when it dies, which no look before or after a kill could tell for sure. In the same way nobody reaches a broker that
 * was hit, and no process that was cut off reaches its broker, before that was looked at.
 */
export class FaultInjector {
  readonly #options: InjectorOptions
  readonly #clientShare: number
  readonly #note: (line: string) => void
  readonly #pauses = new Set<Promise<void>>()

  constructor(options: InjectorOptions) {
    this.#options = options
    this.#clientShare = options.cut === undefined ? clientShare : options.cut === 'publish' ? 1 : 0
    this.#note = openLedger(options.setup.directory, 'faults')
  }

  /** Resolves to `false` where there is nobody to hit now. A pause goes on after that. */
  inject(plan: PlannedFault): Promise<boolean> {
    const random = new Random(this.#options.setup.seed, 1_000 + plan.index)
    switch (plan.kind) {
      case 'child':
        return this.#killChild(plan, random)
      case 'worker':
        return this.#killWorker(plan, random)
      case 'pause':
        return this.#pauseWorker(plan, random)
      case 'client':
        return this.#killClient(plan, random)
      case 'broker':
        return this.#crashBroker(plan, random)
      case 'connection':
        return this.#cutConnections(plan, random)
    }
  }

  /** Resolves when every paused worker goes on. */
  async settled(): Promise<void> {
    await Promise.all(this.#pauses)
  }

  async #killChild(plan: PlannedFault, random: Random): Promise<boolean> {
    const { ledger } = this.#options
    ledger.read()
    const targets = this.#ready().flatMap((slot) =>
      ledger
        .busyChildren(slot.process.pid)
        .filter((pid) => isChildOf(pid, slot.process.pid))
        .map((pid) => ({ slot, pid })),
    )
    const target = random.pick(targets)
    if (target === undefined) return false
    const { slot, pid } = target
    if (!(await pauseProcess(pid))) return false
    const time = Date.now()
    ledger.read()
    const inFlight = (await this.#heldBy(slot.process.pid)).filter((task) => ledger.lastPid(task) === pid)
    const running = ledger.runningOn(pid)
    signal(pid, 'SIGKILL')
    ledger.bury(pid)
    this.#record({ index: plan.index, kind: plan.kind, pid, time, endTime: time, inFlight, running }, slot)
    return true
  }

  async #killWorker(plan: PlannedFault, random: Random): Promise<boolean> {
    const { fleet, ledger } = this.#options
    const slot = random.pick(this.#ready())
    if (slot === undefined) return false
    slot.isBusy = true
    const { process } = slot
    if (await pauseProcess(process.pid)) {
      const seen = await this.#look(process.pid)
      process.kill()
      this.#record({ index: plan.index, kind: plan.kind, pid: process.pid, endTime: seen.time, ...seen }, slot)
    }
    await process.exited
    ledger.bury(process.pid)
    fleet.replace(slot)
    slot.isBusy = false
    return true
  }

  async #pauseWorker(plan: PlannedFault, random: Random): Promise<boolean> {
    const ready = this.#ready()
    const slot = random.pick(ready)
    // Somebody has to be left to take over.
    if (slot === undefined || ready.length < 2) return false
    slot.isBusy = true
    const { pid } = slot.process
    if (!(await this.#pauseOutsideTransaction(pid))) {
      slot.isBusy = false
      return false
    }
    const seen = await this.#look(pid)
    const pauseMs = this.#options.setup.leaseMs + random.between(pauseBeyondMs / 2, pauseBeyondMs)
    const pause = sleep(pauseMs).then(() => {
      const endTime = Date.now()
      signal(pid, 'SIGCONT')
      slot.isBusy = false
      this.#record({ index: plan.index, kind: plan.kind, pid, endTime, ...seen }, slot)
    })
    this.#pauses.add(pause)
    void pause.finally(() => this.#pauses.delete(pause))
    return true
  }

  /**
   * One that stands still amid a transaction has the broker's file locked for everybody, which is not what is to be seen
   * here: its tasks would be taken over by nobody.
   */
  async #pauseOutsideTransaction(pid: number): Promise<boolean> {
    for (let tries = 0; tries < pauseTries; tries++) {
      if (!(await pauseProcess(pid))) return false
      for (const end = performance.now() + lockedMs; performance.now() < end; await sleep(1)) {
        if (await this.#options.testbed.isWritable()) return true
      }
      signal(pid, 'SIGCONT')
      await sleep(lockedMs / 10)
    }
    return false
  }

  /** Half of the times in the middle of a publish, which a random moment would seldom hit. */
  async #killClient(plan: PlannedFault, random: Random): Promise<boolean> {
    const { fleet, ledger } = this.#options
    const { client } = fleet
    if (client === undefined || client.hasExited) return false
    const limit = random.next() < 0.5 ? performance.now() + publishWaitMs : 0
    while (ledger.unanswered === 0 && performance.now() < limit) {
      await nextTurn()
      ledger.read()
    }
    if (client.hasExited) return false
    const time = Date.now()
    client.kill()
    await client.exited
    ledger.buryClient()
    this.#record(
      { index: plan.index, kind: plan.kind, pid: client.pid, time, endTime: time, inFlight: [], running: [] },
      undefined,
    )
    return true
  }

  async #crashBroker(plan: PlannedFault, random: Random): Promise<boolean> {
    const { ledger, fleet, testbed } = this.#options
    const network = networkOf(testbed)
    const holders: Record<string, number> = {}
    const time = Date.now()
    const endTime = await network.crash(random.below(mostDownMs), async () => {
      ledger.read()
      for (const { process } of fleet.slots) {
        for (const task of await this.#heldBy(process.pid)) holders[task] = process.pid
      }
    })
    const inFlight = Object.keys(holders)
    const running = fleet.slots.flatMap(({ process }) => ledger.runningOn(process.pid))
    this.#record({ index: plan.index, kind: plan.kind, pid: 0, time, endTime, inFlight, running, holders }, undefined)
    return true
  }

  async #cutConnections(plan: PlannedFault, random: Random): Promise<boolean> {
    const { fleet, testbed, onCut } = this.#options
    const network = networkOf(testbed)
    const slot = random.next() < this.#clientShare ? undefined : random.pick(this.#ready())
    const process = slot?.process ?? fleet.client
    if (process === undefined || process.hasExited) return false
    const place: Place = slot === undefined ? 'client' : `worker-${slot.index}`
    const cut = planCut(random, this.#options.cut ?? random.pick(cutsOf(place)))
    const { pid } = process
    let inFlight: readonly string[] = []
    let running: readonly string[] = []
    const times = await network.cut(place, cut, async () => {
      const seen = await this.#look(pid)
      inFlight = seen.inFlight
      running = seen.running
      await onCut(inFlight)
    })
    if (times === undefined) return false
    this.#record({ index: plan.index, kind: plan.kind, pid, ...times, inFlight, running, cut }, slot)
    return true
  }

  #ready(): WorkerSlot[] {
    const { fleet, ledger } = this.#options
    return fleet.ready((pid) => ledger.sessionsOf(pid).length > 0)
  }

  async #look(pid: number): Promise<Pick<Fault, 'time' | 'inFlight' | 'running'>> {
    const time = Date.now()
    this.#options.ledger.read()
    return { time, inFlight: await this.#heldBy(pid), running: this.#options.ledger.runningOn(pid) }
  }

  #heldBy(pid: number): Promise<string[]> {
    return this.#options.testbed.heldBy(this.#options.ledger.sessionsOf(pid))
  }

  #record(fault: Fault, slot: WorkerSlot | undefined): void {
    this.#note(`fault ${JSON.stringify(fault)}`)
    this.#options.onFault(fault, slot)
  }
}

/** A client is delivered nothing. */
function cutsOf(place: Place): readonly Cut[] {
  return place === 'client' ? cuts.filter((cut) => cut !== 'delivery') : cuts
}

/** Half of those that need no other than the connection that they struck leave the others alone. */
function planCut(random: Random, how: Cut = 'close'): PlannedCut {
  const needsOne = how === 'reply' || how === 'delivery' || how === 'publish'
  return { how, all: !needsOne || random.next() < 0.5 }
}

function networkOf({ network }: Testbed): Network {
  if (network === undefined) throw new Error('this broker is a file: there is nothing to cut')
  return network
}
