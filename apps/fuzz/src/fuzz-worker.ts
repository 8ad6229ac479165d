/** Puts spoiled messages into the queue of a live worker, batch by batch, and finds out what became of each. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '@celery/protocol/testkit'
import { Celery } from 'celery'
import type { FuzzBroker } from './broker/fuzz-broker.ts'
import { openFuzzBroker } from './broker/open-broker.ts'
import { type Case, makeCase } from './cases.ts'
import { type Codecs, compressionNames, loadCodecs, structuredSerializers } from './codecs.ts'
import { measure } from './cpu-time.ts'
import { judge } from './judge.ts'
import { MemoryWatch } from './memory-watch.ts'
import { NoteReader } from './notes.ts'
import { type Reading, read } from './reading.ts'
import { megabytes, oneLine, type Report } from './report.ts'
import { ownSeeds, recordedSeeds, type Seed } from './seeds.ts'
import type { BrokerName, Bug, Setup } from './setup.ts'
import { Subject } from './subject.ts'

export interface FuzzWorkerOptions {
  readonly broker: BrokerName
  readonly cases: number
  readonly seed: number
  /** Messages that are put before the next good task. */
  readonly batch: number
  /** Milliseconds in which a good task behind a batch has to run. */
  readonly goodMs: number
  /** Milliseconds until a message that is still there is taken for stuck. */
  readonly stuckMs: number
  readonly bug: Bug | undefined
}

/** Milliseconds of computing that reading one message may take. */
export const mostDecodeMs = 1_000
/** Bytes by which the memory of a process may rise once it has settled. */
export const mostRiseBytes: number = 64 * 2 ** 20

/**
 * Ends early, with the first batch of which something is wrong.
 *
 * @param onProgress - Is told how far the run is, now and then.
 */
export async function fuzzWorker(options: FuzzWorkerOptions, onProgress: (line: string) => void): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'celery-fuzz-'))
  try {
    await using broker = await openFuzzBroker(options.broker, directory)
    await using run = await WorkerRun.open(options, { directory, url: broker.url, bug: options.bug }, broker)
    return await run.carryOut(onProgress)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Parts {
  readonly broker: FuzzBroker
  readonly notes: NoteReader
  readonly client: Celery
  readonly codecs: Codecs
  readonly seeds: readonly Seed[]
}

function openClient(url: string): Celery {
  const client = new Celery('fuzz-client', { broker: url, backend: url })
  client.transports.register('redis', async () => (await import('@celery/transport-redis')).redis)
  client.backends.register('redis', async () => (await import('@celery/backend-redis')).redis)
  return client
}

class WorkerRun implements AsyncDisposable {
  readonly #options: FuzzWorkerOptions
  readonly #setup: Setup
  readonly #parts: Parts
  readonly #memory: MemoryWatch
  readonly #reasons: string[] = []
  /** Tasks that ran, or were not run because they had expired, as the worker says. */
  readonly #noted = new Set<string>()
  readonly #received = new Set<string>()
  #cases = 0
  #unhandled = 0
  #slow = 0
  #deadLetters = 0
  #slowestGoodMs = 0
  #slowestDecodeMs = 0

  private constructor(options: FuzzWorkerOptions, setup: Setup, parts: Parts) {
    this.#options = options
    this.#setup = setup
    this.#parts = parts
    this.#memory = new MemoryWatch(Math.ceil(options.cases / options.batch / 4))
  }

  static async open(options: FuzzWorkerOptions, setup: Setup, broker: FuzzBroker): Promise<WorkerRun> {
    const codecs = await loadCodecs()
    const { compressions, serializers } = codecs
    const names = { serializers: structuredSerializers, compressions: compressionNames }
    return new WorkerRun(options, setup, {
      codecs,
      seeds: [...recordedSeeds(), ...ownSeeds(serializers, compressions, names)],
      broker,
      notes: new NoteReader(setup.directory),
      client: openClient(setup.url),
    })
  }

  async carryOut(onProgress: (line: string) => void): Promise<Report> {
    const { batch, cases, seed } = this.#options
    const leftBehind = (await this.#parts.broker.prepare?.()) ?? []
    const subject = await Subject.start(this.#setup, this.#parts.client, (reason) => this.#reasons.push(reason))
    try {
      for (let batches = 1; this.#cases < cases && this.#reasons.length === 0; batches++) {
        const count = Math.min(batch, cases - this.#cases)
        const numbers = Array.from({ length: count }, (_, index) => this.#cases + index)
        const made = numbers.map((number) => makeCase(this.#parts.seeds, this.#parts.codecs, seed, number))
        const random = new Random(Math.imul(seed, 0x9e37_79b1) - batches)
        const disturbed = (await this.#parts.broker.disturb?.(random, batches)) ?? []
        await this.#try(subject, made, batches === 1 ? [...leftBehind, ...disturbed] : disturbed)
        this.#cases += count
        if (batches % 20 === 0) onProgress(`${this.#cases} of ${cases} cases, ${this.#deadLetters} dead letters`)
      }
    } finally {
      await subject.stop()
    }
    return this.#report(subject.exits)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.client.close()
  }

  async #try(subject: Subject, cases: readonly Case[], bystanders: readonly string[]): Promise<void> {
    const readings = cases.map((each) => this.#read(each))
    await this.#parts.broker.put(cases)
    const tookMs = await subject.runGoodTask()
    this.#slowestGoodMs = Math.max(this.#slowestGoodMs, tookMs)
    if (tookMs > this.#options.goodMs) {
      this.#slow++
      this.#reasons.push(`slow: a good task behind cases ${this.#cases} and on took ${Math.round(tookMs)} ms`)
    }
    this.#lookAtNotes()
    if (subject.isGone) return
    await this.#judgeAll(cases, readings, bystanders)
    subject.countLostChildren(await this.#timeLimits(readings))
    this.#memory.note(subject.memory())
  }

  /** Looks again until all is well or time is up: what was acknowledged early may still be running. */
  async #judgeAll(cases: readonly Case[], readings: readonly Reading[], bystanders: readonly string[]): Promise<void> {
    const { broker } = this.#parts
    const ids = readings.flatMap(({ id }) => id ?? [])
    const dead = new Map<string, string>()
    const end = performance.now() + this.#options.stuckMs
    for (;;) {
      const isLate = performance.now() > end
      const letters = await broker.takeDeadLetters()
      for (const [key, reason] of letters.reasons) dead.set(key, reason)
      this.#deadLetters += letters.count
      const states = new Map([...(await broker.records([...ids, ...bystanders]))].map(([id, { state }]) => [id, state]))
      this.#lookAtNotes()
      const evidence = { ...(await broker.contents()), dead, states, noted: this.#noted, received: this.#received }
      const judged = cases.map((each, index) => judge(each, readings[index] as Reading, evidence))
      const unrun = bystanders.filter((id) => states.get(id) !== 'SUCCESS')
      if (evidence.left.size + unrun.length === 0 && judged.every((reason) => reason === undefined)) return
      if (isLate) {
        for (const [index, reason] of judged.entries())
          if (reason !== undefined) this.#tell(cases[index] as Case, reason)
        for (const id of unrun) this.#reasons.push(`bystander: task ${id} of a worker that had gone did not run`)
        if (evidence.left.size > 0) this.#reasons.push(`queue: ${evidence.left.size} messages are still there`)
        return
      }
      await sleep(10)
    }
  }

  #read(each: Case): Reading {
    const [reading, tookMs] = measure(() => read(each.payload, this.#parts.codecs))
    this.#slowestDecodeMs = Math.max(this.#slowestDecodeMs, tookMs)
    if (tookMs > mostDecodeMs) {
      this.#slow++
      this.#tell(each, `reading it took ${Math.round(tookMs)} ms`)
    }
    return reading
  }

  /** How many tasks were ended by their hard time limit, and their processes with them. */
  async #timeLimits(readings: readonly Reading[]): Promise<number> {
    const records = await this.#parts.broker.records(readings.flatMap(({ id }) => id ?? []))
    return [...records.values()].filter(({ text }) => text.includes('"TimeLimitExceeded"')).length
  }

  #lookAtNotes(): void {
    for (const { text, what } of this.#parts.notes.next()) {
      if (what !== 'uncaught') {
        ;(what === 'received' ? this.#received : this.#noted).add(text)
        continue
      }
      this.#unhandled++
      this.#reasons.push(`unhandled: ${oneLine(text)}`)
    }
  }

  #tell({ payload, steps, tag }: Case, reason: string): void {
    this.#reasons.push(
      `${tag}: ${oneLine(reason)} (${oneLine(steps.join('; '))}): ${oneLine(String(payload).slice(0, 300))}`,
    )
  }

  #report(exits: number): Report {
    const { rise } = this.#memory
    if (rise > mostRiseBytes) this.#reasons.push(`memory: a process of the worker grew by ${megabytes(rise)}`)
    return {
      cases: this.#cases,
      exits,
      unhandled: this.#unhandled,
      slow: this.#slow,
      reasons: this.#reasons,
      remarks: [
        `${this.#deadLetters} dead letters`,
        `slowest: ${Math.round(this.#slowestGoodMs)} ms for a good task behind a batch, ${Math.round(this.#slowestDecodeMs)} ms for a decode`,
        `memory of a process rose by ${megabytes(rise)} at most`,
      ],
    }
  }
}
