/**
 * A worker that measures itself while one of its tasks kills a pool process again and again: it stands still while its
 * queue is filled, then counts the time until the last good task is acknowledged, and goes on until the bad one is over.
 */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { Settlement } from '@celery/transport'
import { sqlite } from '@celery/transport-sqlite'
import { startWorker } from '@celery/worker'
import { serve, startArgument, stopwatch, waitForStart } from './measured.ts'
import { observeSettling } from './observe-settling.ts'

export interface CrashWorkerArgument {
  readonly concurrency: number
}

export interface CrashCommand {
  readonly goodTasks: number
  readonly poisonTasks: number
}

export interface CrashResult {
  /** Until the last good task was acknowledged. */
  readonly seconds: number
  /** From the first time that a bad task came back to when the last one was with the dead letters; 0 without one. */
  readonly crashingSeconds: number
  /** Good tasks acknowledged in each second of that time, as long as there were any. */
  readonly rateWhileCrashing: number
  /** How often bad tasks came back, each time from a process that they had killed. */
  readonly kills: number
}

interface Moment {
  readonly atMs: number
  /** Good tasks acknowledged until then. */
  readonly good: number
}

/** What is counted of one drain. */
class Counts {
  good = 0
  dead = 0
  kills = 0
  #lastGood: Moment | undefined
  #firstKill: Moment | undefined
  #burial: Moment | undefined

  add({ action, delivery }: Settlement): void {
    if (delivery === undefined) return
    const isGood = action === undefined || action.type === 'ack'
    if (isGood) this.good++
    const now = { atMs: performance.now(), good: this.good }
    if (isGood) this.#lastGood = now
    else if (action.type === 'dead') {
      this.dead++
      this.#burial = now
    } else {
      this.kills++
      this.#firstKill ??= now
    }
  }

  get crashingSeconds(): number {
    return secondsBetween(this.#firstKill, this.#burial)
  }

  get rateWhileCrashing(): number {
    const [from, last, burial] = [this.#firstKill, this.#lastGood, this.#burial]
    if (from === undefined || last === undefined || burial === undefined) return 0
    const to = last.atMs < burial.atMs ? last : burial
    return (to.good - from.good) / secondsBetween(from, to)
  }
}

function secondsBetween(from: Moment | undefined, to: Moment | undefined): number {
  return from === undefined || to === undefined ? 0 : (to.atMs - from.atMs) / 1_000
}

async function main({ concurrency }: CrashWorkerArgument): Promise<void> {
  const appUrl = pathToFileURL(createRequire(import.meta.url).resolve('@celery-apps/bench/tasks')).href
  const { app } = (await import(appUrl)) as typeof import('../tasks.ts')
  let counts = new Counts()
  let onChange = (): void => {}
  const transport = observeSettling(sqlite, (settlements) => {
    for (const settlement of settlements) counts.add(settlement)
    onChange()
  })
  app.transports.register('sqlite', async () => transport)
  const worker = await startWorker(app, {
    pool: 'prefork',
    concurrency,
    appModule: appUrl,
    logLevel: 'critical',
    settings: { taskAcksLate: true, taskRejectOnWorkerLost: true },
  })

  function until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      onChange = () => {
        if (holds()) resolve()
      }
      onChange()
    })
  }

  serve<CrashCommand>({
    async onCommand({ goodTasks, poisonTasks }): Promise<CrashResult> {
      counts = new Counts()
      await waitForStart()
      const spent = stopwatch()
      await until(() => counts.good >= goodTasks)
      const { seconds } = spent()
      await until(() => counts.dead >= poisonTasks)
      const { crashingSeconds, kills, rateWhileCrashing } = counts
      return { seconds, crashingSeconds, kills, rateWhileCrashing }
    },
    async onEnd() {
      await worker.stop()
      await app.close()
    },
  })
}

void main(startArgument())
