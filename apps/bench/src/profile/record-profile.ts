import { mkdirSync, writeFileSync } from 'node:fs'
import { type Profiler, Session } from 'node:inspector'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'

/** Environment variable: where profiles go. */
export const profileFolderVariable = 'CELERY_BENCH_PROFILES'

/** Microseconds between two looks at what a thread does. */
const intervalMicros = 200

/**
 * Writes down where this thread's time goes, from now to its end, with V8's own profiler: what is measured holds no
 * timers and is the same code as without.
 */
export function recordProfile(): void {
  const folder = process.env[profileFolderVariable]
  if (folder === undefined) throw new Error(`${profileFolderVariable} does not say where profiles go`)
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: intervalMicros })
  session.post('Profiler.start')
  // A session within the process answers before `post` returns.
  process.once('exit', () => {
    session.post('Profiler.stop', (error, answer: Profiler.StopReturnType) => {
      if (error !== null) throw error
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, `${process.pid}-${threadId}.json`), JSON.stringify(answer.profile))
    })
  })
}
