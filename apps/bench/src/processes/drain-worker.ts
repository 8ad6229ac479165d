/**
 * A worker that measures itself: it stands still while its queue is filled, and then counts the time until the last
 * task has ended and the last settlement, results included, is confirmed by the broker.
 */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { limitHeapGrowth, startWorker } from '@celery/worker'
import type { Place } from '../places.ts'
import { serve, startArgument, stopwatch, waitForStart } from './measured.ts'
import { observeSettling } from './observe-settling.ts'
import { transports } from './transports.ts'

export interface DrainWorkerArgument {
  readonly transport: Place['transport']
  readonly pool: 'async' | 'prefork' | 'solo' | 'threads'
  readonly concurrency: number
  /** Whether the tasks keep their results. */
  readonly results: boolean
  /** Whether this process and those of its pool write down where their time goes; see `recordProfile`. */
  readonly profiled: boolean
}

export interface DrainCommand {
  readonly tasks: number
}

async function main({ pool, concurrency, profiled, results, transport: name }: DrainWorkerArgument): Promise<void> {
  const appModule = createRequire(import.meta.url).resolve(
    `@celery-apps/bench/${profiled ? 'profiled-tasks' : 'tasks'}`,
  )
  const appUrl = pathToFileURL(appModule).href
  const { app } = (await import(appUrl)) as typeof import('../tasks.ts')
  let acknowledged = 0
  let stored = 0
  let onChange = (): void => {}
  const transport = observeSettling(await transports[name](), (settlements) => {
    for (const { delivery, writes } of settlements) {
      if (delivery !== undefined) acknowledged++
      if (writes !== undefined && writes.length > 0) stored++
    }
    onChange()
  })
  app.transports.register(name, async () => transport)
  // As the command does.
  limitHeapGrowth()
  const worker = await startWorker(app, { pool, concurrency, appModule: appUrl })

  /** Resolves when so many more have ended. */
  function ended(tasks: number): Promise<void> {
    const goal = { processed: worker.processed + tasks, acknowledged: acknowledged + tasks, stored: stored + tasks }
    return new Promise((resolve) => {
      onChange = () => {
        if (acknowledged < goal.acknowledged || (results && stored < goal.stored)) return
        // With an early acknowledgement, the last tasks may still run when theirs are confirmed.
        if (worker.processed < goal.processed) setImmediate(onChange)
        else resolve()
      }
    })
  }

  serve<DrainCommand>({
    async onCommand({ tasks }) {
      const end = ended(tasks)
      await waitForStart()
      const spent = stopwatch()
      await end
      return spent()
    },
    async onEnd() {
      await worker.stop()
      await app.close()
    },
  })
}

void main(startArgument())
