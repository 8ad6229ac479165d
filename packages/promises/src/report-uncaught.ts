/**
 * Raises `error` as an uncaught exception, as a throwing timer or event listener of Node does: one broken callback
 * neither stops the callbacks after it nor goes unseen.
 */
export function reportUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}
