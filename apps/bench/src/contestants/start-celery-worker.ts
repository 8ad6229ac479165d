import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { GuardedProcess } from '@celery/test-servers'
import type { Place } from '../places.ts'

/** Starts `celery -A MODULE worker …`, as a user does, on the broker and store of `place`. Logs what its arguments say. */
export function startCeleryWorker(module: string, place: Place, args: readonly string[]): Promise<GuardedProcess> {
  const require = createRequire(import.meta.url)
  const celery = join(dirname(require.resolve('celery')), '..', 'bin', 'celery.js')
  const app = require.resolve(`@celery-apps/bench/${module}`)
  return GuardedProcess.start(process.execPath, [celery, '-A', app, 'worker', '--quiet', ...args], {
    env: { ...process.env, ...place.environment },
  })
}
