import { arch, platform, release } from 'node:os'
import type { Worker } from '@celery/worker'

/** What a worker says of itself at the start, in the order Celery does. */
export function banner(worker: Worker): string {
  const { app, hostname, queues } = worker
  const tasks = [...app.tasks.keys()].filter((name) => !name.startsWith('celery.')).sort()
  return `
 -------------- ${hostname}
--- ***** -----
-- ******* ---- ${platform()}-${release()}-${arch()} node ${process.version} ${new Date().toISOString().slice(0, 19).replace('T', ' ')}
- *** --- * ---
- ** ---------- [config]
- ** ---------- .> app:         ${app.main}
- ** ---------- .> transport:   ${app.brokerAddress}
- ** ---------- .> results:     ${app.backendAddress ?? 'disabled'}
- *** --- * --- .> concurrency: ${worker.concurrency} (${worker.poolName})
-- ******* ----
--- ***** ----- [queues]
${queues.map((queue) => ` -------------- .> ${queue}`).join('\n')}

[tasks]
${tasks.map((name) => `  . ${name}`).join('\n')}

`
}
