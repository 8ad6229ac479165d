/** For whoever asks a worker how it is. Loads neither app nor worker. */
import { get } from 'node:http'
import { hostname } from 'node:os'
import { text } from 'node:stream/consumers'
import { expandNodeName } from '../expand-node-name.ts'
import { healthFolder, isHealthPathOf, listHealthPaths } from './health-folder.ts'
import type { HealthReport } from './health-report.ts'
import { readHealthReport } from './read-health-report.ts'

export type { HealthReason, HealthReport } from './health-report.ts'

/** What asking one worker has come to. */
export type AskedWorker = {
  readonly path: string
  /** Whether it is one of those that were looked for. */
  readonly isMeant: boolean
} & (
  | { readonly report: HealthReport }
  /** It is there, and says nothing that can be read. */
  | { readonly report?: undefined; readonly problem: string }
)

export interface AskWorkersOptions {
  /** Milliseconds that each gets to answer. */
  readonly timeoutMs: number
  /** Node name of the one that is looked for, as the worker's option `hostname`. @defaultValue any */
  readonly node?: string | undefined
  /** @defaultValue that of this user, see `CELERY_RUNTIME_DIR` */
  readonly folder?: string
}

/** Asks all workers of this user on this machine, at the same time. Those that have ended are left out. @throws HealthAddressError */
export async function askWorkers(options: AskWorkersOptions): Promise<readonly AskedWorker[]> {
  const { folder = healthFolder(), node: pattern, timeoutMs } = options
  const node = pattern === undefined ? undefined : expandNodeName(pattern, hostname())
  const asked = await Promise.all(
    listHealthPaths(folder).map(async (path): Promise<AskedWorker | undefined> => {
      const answer = await ask(path, timeoutMs)
      const isMeant = node === undefined || isHealthPathOf(path, folder, node)
      return answer && { path, isMeant, ...answer }
    }),
  )
  return asked.filter((worker) => worker !== undefined)
}

type Answer = { readonly report: HealthReport } | { readonly problem: string }

/** Nothing where nobody listens. */
async function ask(path: string, timeoutMs: number): Promise<Answer | undefined> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const body = await new Promise<string>((resolve, reject) => {
      const request = get({ socketPath: path, path: '/report', agent: false, signal }, (response) => {
        text(response).then((body) => {
          if (response.statusCode === 200) resolve(body)
          else reject(new Error(body.trim()))
        }, reject)
      })
      request.on('error', reject)
    })
    return { report: readHealthReport(body) }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return undefined
    return { problem: signal.aborted ? lateAnswer(timeoutMs) : message }
  }
}

/** Milliseconds that the broker of a worker may keep it from answering, and a little more. */
const brokerMs = 6_000

function lateAnswer(timeoutMs: number): string {
  const late = `it has not answered for ${timeoutMs / 1_000} s: its main loop is blocked, or the process is stopped`
  return timeoutMs >= brokerMs ? late : `${late}, or it waits for its broker, which it does for 5 s`
}
