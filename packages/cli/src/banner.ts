import { arch, platform, release } from 'node:os'
import type { LogLevel, Worker } from '@celery/worker'

/** What a worker says of itself at the start, in the order Celery does: its tasks from `info` on, with `debug` ours too. */
export function banner(worker: Worker, level: LogLevel): string {
  const { app, consumed, hostname } = worker
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
-- ******* ---- .> task events: OFF
--- ***** -----
 -------------- [queues]
${app.queues.format(consumed).replaceAll(/^/gm, ' -------------- .> ')}

${taskList(worker, level)}`
}

function taskList({ app }: Worker, level: LogLevel): string {
  if (level !== 'info' && level !== 'debug') return ''
  const names = [...app.tasks.keys()].filter((name) => level === 'debug' || !name.startsWith('celery.')).sort()
  return `[tasks]\n${names.map((name) => `  . ${name}`).join('\n')}\n\n`
}
