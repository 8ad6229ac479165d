/**
 * One run, from its first process to its verdict:
 *
 * 1. workers start, then the client, which keeps them busy;
 * 2. after a calm phase faults are carried out whenever enough tasks have ended;
 * 3. when all is sent and the faults are done, the queue gets the time to empty;
 * 4. evidence is read while the workers still live, they are stopped, and the checker judges.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { check, type Verdict } from '../check/check.ts'
import type { Evidence } from '../check/evidence.ts'
import { compareRates, type Rates } from '../check/rate.ts'
import { type Fault, type FaultKind, ledgerPath, parseLedger } from '../ledger.ts'
import type { Setup } from '../setup.ts'
import { openTestbed } from '../testbed/open-testbed.ts'
import type { RepliedCut, Testbed } from '../testbed/testbed.ts'
import { type PlannedFault, planFaults } from './fault-plan.ts'
import { Fleet } from './fleet.ts'
import { Guard } from './guard.ts'
import { FaultInjector } from './injector.ts'
import { LiveLedger } from './live-ledger.ts'
import { PythonWorkers } from './python-workers.ts'
import { ResultWatch } from './result-watch.ts'
import { Saboteur } from './saboteur.ts'

export interface RunOptions {
  readonly setup: Setup
  readonly faults: number
  /** All faults are cuts of this kind. */
  readonly cut: RepliedCut | undefined
  /** How many workers of Python take part. */
  readonly python: number
  readonly workers: number
  readonly children: number
  /** Least share of the speed without faults that has to remain. @defaultValue `0.5`; 0 where all faults are cuts, and with replicas */
  readonly leastRate?: number
  /** Milliseconds that everything may take which has to come soon. @defaultValue `5_000` */
  readonly slackMs?: number
  /** Told of every fault, and of progress every ten seconds. */
  readonly onProgress?: (line: string) => void
  /** Told of every fault. */
  readonly onFault?: (fault: Fault) => void
}

export interface RunReport {
  readonly verdict: Verdict
  /** Faults carried out, by kind. */
  readonly faults: ReadonlyMap<FaultKind, number>
  readonly faultsPerMinute: number
  readonly rates: Rates | undefined
  readonly longestOrphanMs: number
  readonly durationMs: number
  /** Why the run failed: the verdict's reasons and what went wrong besides. Empty where all is well. */
  readonly reasons: readonly string[]
  /** What workers and clients logged of the tasks that the reasons name. */
  readonly logLines: readonly string[]
}

/** Milliseconds. */
const tickMs = 20
const lookAtResultsMs = 250
const reportMs = 10_000
/** Nothing has ended for so long: the run is given up, and the checker says why. */
const standstillMs = 30_000
const stopLimitMs = 10_000
const startLimitMs = 60_000

export async function runChaos(options: RunOptions): Promise<RunReport> {
  mkdirSync(options.setup.directory, { recursive: true, mode: 0o700 })
  const run = new Run(options)
  return run.run()
}

class Run {
  readonly #options: RunOptions
  readonly #setup: Setup
  readonly #guard = new Guard()
  readonly #ledger: LiveLedger
  readonly #faults: Fault[] = []
  readonly #troubles: string[] = []
  readonly #started = performance.now()
  #fleet: Fleet | undefined

  constructor(options: RunOptions) {
    this.#options = options
    this.#setup = options.setup
    this.#ledger = new LiveLedger(options.setup.directory)
  }

  get #slackMs(): number {
    return this.#options.slackMs ?? 5_000
  }

  async run(): Promise<RunReport> {
    const { workers, children } = this.#options
    try {
      await using testbed = await openTestbed(this.#setup, workers)
      const results = new ResultWatch(testbed, this.#setup.directory)
      const saboteur = new Saboteur(this.#setup, this.#ledger, testbed)
      const fleet = new Fleet({
        setup: this.#setup,
        testbed,
        guard: this.#guard,
        workers,
        children,
        onTrouble: (reason) => this.#troubles.push(reason),
      })
      this.#fleet = fleet
      await using python = await PythonWorkers.start(this.#options.python, this.#setup, testbed)
      await this.#untilReady(fleet)
      fleet.startClient()
      const injector = new FaultInjector({
        setup: this.#setup,
        fleet,
        ledger: this.#ledger,
        testbed,
        cut: this.#options.cut,
        onCut: (inFlight) => saboteur.duringCut(inFlight),
        onFault: (fault, slot) => {
          this.#faults.push(fault)
          this.#options.onFault?.(fault)
          const pids = fleet.slots.filter(({ isBusy }) => !isBusy).map(({ process }) => process.pid)
          saboteur
            .afterFault(fault, slot?.process.pid, pids)
            .catch((error: Error) => this.#troubles.push(`saboteur: ${error.message}`))
        },
      })
      const { faults } = this.#options
      const { seed, tasks, backlog } = this.#setup
      const shares = this.#shares(testbed)
      await this.#carryOn(planFaults(seed, { faults, shares, tasks, backlog }), fleet, injector, results, saboteur)
      await this.#untilEmpty(testbed, results)
      const evidence = await this.#gather(testbed)
      await Promise.all([fleet.stop(stopLimitMs), python.stop()])
      const integrity = await testbed.integrity()
      return this.#report(check({ ...evidence, integrity }), fleet)
    } finally {
      this.#fleet?.abandon()
      this.#ledger.close()
      this.#guard.close()
    }
  }

  #shares({ shares }: Testbed): Testbed['shares'] {
    const { cut, python } = this.#options
    if (cut !== undefined) return [['connection', 1]]
    // A worker of Python loses what it is being delivered when the broker dies, and keeps what it holds for an hour.
    return python === 0 ? shares : shares.map(([kind, share]) => [kind === 'broker' ? 'connection' : kind, share])
  }

  async #untilReady(fleet: Fleet): Promise<void> {
    const limit = performance.now() + startLimitMs
    const { workers } = this.#options
    for (;;) {
      this.#ledger.read()
      const ready = fleet.ready((pid) => this.#ledger.sessionsOf(pid).length > 0).length
      if (ready === workers) return
      if (performance.now() > limit)
        throw new Error(`only ${ready} of ${workers} workers fetch after ${startLimitMs} ms`)
      await sleep(tickMs)
    }
  }

  /** Carries out the faults until they are done and everything is sent. */
  async #carryOn(
    plan: PlannedFault[],
    fleet: Fleet,
    injector: FaultInjector,
    results: ResultWatch,
    saboteur: Saboteur,
  ): Promise<void> {
    const { setup, onProgress } = this.#options
    const faults = plan.length
    const pending: PlannedFault[] = []
    const standstill = new Standstill(standstillMs)
    let [nextLook, nextReport] = [0, performance.now() + reportMs]
    while (!fleet.clientDone || (this.#faults.length < faults && this.#ledger.endTimes.length < setup.tasks)) {
      this.#ledger.read()
      const ended = this.#ledger.endTimes.length
      while (plan[0] !== undefined && plan[0].afterTasks <= ended) pending.push(plan.shift() as PlannedFault)
      for (const fault of pending.splice(0)) if (!(await injector.inject(fault))) pending.push(fault)
      const now = performance.now()
      if (now >= nextLook) {
        nextLook = now + lookAtResultsMs
        await saboteur.afterResults(await results.look(this.#ledger.awaited.keys()))
      }
      if (now >= nextReport) {
        nextReport = now + reportMs
        onProgress?.(`${ended} of ${setup.tasks} tasks ended, ${this.#faults.length} of ${faults} faults`)
      }
      if (standstill.since(ended)) {
        this.#troubles.push(
          `standstill: nothing ended for ${standstillMs} ms, ${ended} of ${setup.tasks} tasks are done`,
        )
        break
      }
      await sleep(tickMs)
    }
    await injector.settled()
    if (this.#faults.length < faults) {
      this.#troubles.push(`faults: only ${this.#faults.length} of ${faults} found somebody to hit`)
    }
  }

  /** Gives the queue the time to empty: until it is, or nothing has moved for longer than anything may be stuck. */
  async #untilEmpty(testbed: Testbed, results: ResultWatch): Promise<void> {
    const standstill = new Standstill(this.#setup.leaseMs + this.#slackMs)
    for (;;) {
      this.#ledger.read()
      await results.look(this.#ledger.awaited.keys())
      const left = (await testbed.messages()).filter(({ place }) => place !== 'dead').length
      if (left === 0 || standstill.since(this.#ledger.endTimes.length - left)) return
      await sleep(tickMs)
    }
  }

  async #gather(testbed: Testbed): Promise<Omit<Evidence, 'integrity'>> {
    this.#ledger.read()
    const { directory, leaseMs } = this.#setup
    const others = (['sightings', 'faults'] as const).map((name) => readFileSync(ledgerPath(directory, name), 'utf8'))
    return {
      ledger: [...this.#ledger.entries, ...others.flatMap(parseLedger)],
      records: await testbed.results(this.#ledger.awaited.keys()),
      messages: await testbed.messages(),
      leaseMs,
      slackMs: this.#slackMs,
    }
  }

  /** The files are kept with a failed run, but whoever reads of it elsewhere has only the report. */
  #logLines(reasons: readonly string[]): string[] {
    const calls = new Set(reasons.flatMap((reason) => reason.match(callPattern) ?? []))
    if (calls.size === 0) return []
    const { directory } = this.#setup
    const names = readdirSync(directory).filter((name) => name.endsWith('.log'))
    return names.flatMap((name) =>
      readFileSync(join(directory, name), 'utf8')
        .split('\n')
        .filter((line) => (line.match(callPattern) ?? []).some((call) => calls.has(call)))
        .map((line) => `${name}: ${line}`),
    )
  }

  #report(verdict: Verdict, fleet: Fleet): RunReport {
    const faults = new Map<FaultKind, number>()
    for (const { kind } of this.#faults) faults.set(kind, (faults.get(kind) ?? 0) + 1)
    const times = this.#faults.map(({ time }) => time).sort((a, b) => a - b)
    const rates = compareRates(this.#ledger.endTimes, times)
    const { cut, leastRate } = this.#options
    // Where all faults are cuts, or another server takes over each time, they come too fast to say anything.
    const least = leastRate ?? (cut === undefined && this.#setup.topology === 'single' ? 0.5 : 0)
    if (rates !== undefined && rates.faulty < least * rates.calm) {
      const share = Math.round((rates.faulty / rates.calm) * 100)
      this.#troubles.push(`rate: under faults ${share} % of the speed without them, and it must be ${least * 100} %`)
    }
    const reasons = [...verdict.reasons, ...this.#troubles]
    const minutes = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 60_000
    return {
      verdict,
      faults,
      faultsPerMinute: minutes === 0 ? 0 : times.length / minutes,
      rates,
      longestOrphanMs: fleet.longestOrphanMs,
      durationMs: performance.now() - this.#started,
      reasons,
      logLines: this.#logLines(reasons),
    }
  }
}

/** A call and what belongs to it: `c12.3` of which `c12` is found as well. */
const callPattern = /\bc\d+\b/g

/** Notices when a number has not changed for a while. */
class Standstill {
  readonly #limitMs: number
  #last = Number.NaN
  #since = 0

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  since(value: number): boolean {
    const now = performance.now()
    if (value !== this.#last) {
      this.#last = value
      this.#since = now
    }
    return now - this.#since > this.#limitMs
  }
}
