/** Seen by every installed copy of this package. */
const mark = Symbol.for('celery.process-pool.child')

/** Says that this process was started by a pool, and that its pipes are where a child looks for them. */
export function markAsPoolChild(): void {
  Object.defineProperty(globalThis, mark, { value: true })
}

export function isPoolChild(): boolean {
  return mark in globalThis
}
