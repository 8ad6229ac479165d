/** Compiled, never run: which pools a worker takes. */

import type { PoolName } from './pools/pool-names.ts'
import type { WorkerOptions } from './worker-options.ts'

{
  const named: readonly PoolName[] = [
    'prefork',
    'gevent',
    './my-pool.js:createPool',
    'C:\\pools\\my-pool.js',
    'my-pool.js',
  ]
  // @ts-expect-error neither the name of a pool nor the path of a module
  const ofNoModule: PoolName = 'tasks:pool'
  const text: string = process.env['POOL'] ?? 'prefork'
  const options: readonly WorkerOptions[] = [{ pool: 'threads' }, { pool: './my-pool.js' }, { pool: text }]
  // What editors suggest, which `string` would swallow.
  const suggested: Extract<WorkerOptions['pool'], 'solo'> = 'solo'
  // @ts-expect-error text
  const flag: WorkerOptions = { pool: true }
  void [named, ofNoModule, options, suggested, flag]
}
