/** What a pool's child is. */
export type PoolChildKind = 'process' | 'thread'

/** Seen by every installed copy of this package; each thread has a `globalThis` of its own. */
const mark = Symbol.for('celery.process-pool.child')

/** Says that this process or thread was started by a pool, and so where the way to that pool is. */
export function markAsPoolChild(kind: PoolChildKind): void {
  Object.defineProperty(globalThis, mark, { value: kind })
}

/** What this process or thread is to a pool, if anything. */
export function poolChildKind(): PoolChildKind | undefined {
  return (globalThis as { readonly [mark]?: PoolChildKind })[mark]
}
