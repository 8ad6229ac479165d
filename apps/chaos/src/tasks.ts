/** The app of the run: its tasks write the ledger as their first and last act. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sqlite } from '@celery/transport-sqlite'
import { Celery, currentTask } from 'celery'
import { instrument } from './instrument.ts'
import { openLedger } from './ledger.ts'
import { readSetup } from './setup.ts'

const setup = readSetup()
const { broker, results, options = {} } = setup.addresses
const note = openLedger(setup.directory, 'tasks')
/** Read once: the parent of an orphan is another process. */
const workerPid = process.ppid
const processName = `${process.pid.toString(36)}-${Date.now().toString(36)}`
let attempts = 0

export const app: Celery = new Celery('chaos', {
  broker,
  backend: results,
  settings: {
    taskAcksLate: true,
    taskRejectOnWorkerLost: true,
    leaseMs: setup.leaseMs,
    brokerTransportOptions: options,
    resultBackendTransportOptions: options,
  },
})
app.transports.register('sqlite', async () => instrument(sqlite, setup, note))
for (const scheme of ['redis', 'sentinel', 'redis+cluster']) {
  app.transports.register(scheme, async () => instrument((await import('@celery/transport-redis')).redis, setup, note))
  app.backends.register(scheme, async () => (await import('@celery/backend-redis')).redis)
}

export const noop = app.task('chaos.noop', () => record(0), { ignoreResult: true })
export const rest = app.task('chaos.sleep', (ms: number) => record(ms), { trackStarted: true })
export const next = app.task('chaos.next', (_previous: string, ms: number) => record(ms))
export const rescue = app.task('chaos.rescue', (_failed: string) => record(0), { ignoreResult: true })

export const burn = app.task('chaos.burn', async (ms: number) => {
  const [id, attempt] = begin()
  const until = performance.now() + ms
  while (performance.now() < until);
  return end(id, attempt)
})

export const fail = app.task('chaos.fail', async (ms: number) => {
  throw new Error(await record(ms))
})

/** The attempt is the result, so that the store tells whose result it holds. */
async function record(ms: number): Promise<string> {
  const [id, attempt] = begin()
  if (ms > 0) await sleep(ms)
  return end(id, attempt)
}

function begin(): [id: string, attempt: string] {
  const id = currentTask()?.request.id ?? 'none'
  const attempt = `${processName}-${attempts++}`
  note(`start ${id} ${attempt} ${process.pid} ${workerPid} ${Date.now()}`)
  return [id, attempt]
}

function end(id: string, attempt: string): string {
  note(`end ${id} ${attempt} ${Date.now()}`)
  return attempt
}
