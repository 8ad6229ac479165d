/**
 * What an `AtomicWrite` for the domain `memory:<name>` carries: a change to a store in the same process, ready to be
 * made. The broker calls `apply` while it settles, so it must return at once and must not throw.
 */
export interface MemoryStatement {
  apply(): void
}

export function isMemoryStatement(value: unknown): value is MemoryStatement {
  return typeof value === 'object' && value !== null && typeof (value as MemoryStatement).apply === 'function'
}
