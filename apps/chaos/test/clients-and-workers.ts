/** Whole clients and workers on Redis, in the process of the test. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { redis as redisStore } from '@celery/backend-redis'
import { deferred } from '@celery/promises'
import { type RedisServer, startRedis } from '@celery/test-servers'
import { redis as redisBroker } from '@celery/transport-redis'
import { type AppOptions, Celery, type Logger, type Worker, type WorkerOptions } from 'celery'
import { onTestFinished } from 'vitest'

/** A private Redis that writes what it has answered to its disk. It ends with the test. */
export async function start(): Promise<RedisServer> {
  const server = await startRedis({ appendOnly: true })
  onTestFinished(() => server.close())
  return server
}

/** An app on Redis that ends with the test. */
export function open(options: AppOptions): Celery {
  const app = new Celery('outages', { ...options, notify: () => {} })
  app.transports.register('redis', async () => redisBroker)
  app.backends.register('redis', async () => redisStore)
  onTestFinished(() => app.close())
  return app
}

/** A worker in this process, a way to wait for what it logs, and its warnings and errors so far. It ends with the test. */
export async function startWorker(app: Celery, options: WorkerOptions = {}) {
  const waiting = new Map<string, () => void>()
  let url: string | undefined
  const log = (line: string): void => {
    url ??= /^health: (http:\S+)\/live/.exec(line)?.[1]
    for (const [text, resolve] of waiting) if (line.includes(text)) resolve()
  }
  const complaints: string[] = []
  const complain = (line: string): void => {
    complaints.push(line)
    log(line)
  }
  const logger: Logger = {
    ...{ debug: log, info: log, warning: complain, error: complain, critical: complain },
    isEnabled: () => true,
  }
  const worker: Worker = await app.startWorker({ concurrency: 2, pool: 'async', logger, ...options })
  onTestFinished(() => worker.terminate())
  const logged = (text: string): Promise<void> => {
    const seen = deferred()
    waiting.set(text, seen.resolve)
    return seen.promise
  }
  return { complaints, logged, url: () => url, worker }
}

export function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index)
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await nextTurn()
}
