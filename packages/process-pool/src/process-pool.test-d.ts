import { serveJobs } from './child/index.ts'
import type { JobOutcome, ProcessPool } from './index.ts'

declare const pool: ProcessPool
declare const outcome: JobOutcome

pool.submit({ header: { id: 1 }, body: 'text', onDone() {} })
pool.submit({ header: undefined, body: new Uint8Array(3), kind: 'report', timeoutMs: 5, onDone: () => {} })
const recalled: Promise<number> = pool.recall((job) => job.kind === 'report')
const killed: boolean = pool.kill({ header: 1, body: '', onDone() {} })

// @ts-expect-error a job must say what happens at its end
pool.submit({ header: 1, body: '' })
// @ts-expect-error a body is text or bytes; anything else belongs into the header
pool.submit({ header: 1, body: { text: 'x' }, onDone() {} })
// @ts-expect-error children are not to be changed from outside
pool.children.push({ pid: 1, state: 'ready', jobs: 0, completed: 0 })

if (outcome.type === 'reply') {
  const body: string | Uint8Array = outcome.body
  void body
}
if (outcome.type === 'lost') {
  const status: number | null = outcome.exitCode
  void status
}
// @ts-expect-error only a reply has a body
void outcome.body
// @ts-expect-error a recalled job never had a process
if (outcome.type === 'recalled') void outcome.pid

serveJobs(() => () => ({ header: 1 }))
serveJobs(async (init: unknown) => async (job) => ({ header: init, body: job.body }), { onClose: async () => {} })
// @ts-expect-error a handler answers with a reply, not with a bare value
serveJobs(() => () => 5)
// @ts-expect-error the setup returns a handler
serveJobs(() => ({ header: 1 }))
// @ts-expect-error init data comes over a pipe and is not known to be anything
serveJobs((init: { url: string }) => () => ({ header: init.url }))

void recalled
void killed
