/** Without a pool: the command line reads names before it knows whether there is going to be a worker. */

/** Names of pools, Celery's own among them, and what each is here. */
export const pools = {
  prefork: 'prefork',
  processes: 'prefork',
  threads: 'threads',
  solo: 'solo',
  async: 'async',
  gevent: 'async',
  eventlet: 'async',
  custom: 'custom',
} as const

/** A pool of ours, or the path of the module of one: `./my-pool.js:createPool`. */
export type PoolName = keyof typeof pools | `${string}${'.' | '/' | '\\'}${string}`

/** What `pool` may be, besides the path of a module; `custom` stands for such a path in the environment. */
export const poolNames: readonly string[] = Object.keys(pools).filter((name) => name !== 'custom')

/** Whether `name` is a pool of ours or may be the path of one. */
export function isPoolName(name: unknown): name is PoolName {
  return typeof name === 'string' && (Object.hasOwn(pools, name) || isPath(name))
}

export function isPath(name: string): boolean {
  return /[./\\]/.test(name)
}

export type PoolKind = (typeof pools)[keyof typeof pools]
