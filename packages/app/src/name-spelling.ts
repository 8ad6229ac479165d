/** `task_acks_late` and `TASK_ACKS_LATE` → `taskAcksLate`; what has no underscore stays, unless it is all capitals. */
export function camelCase(name: string): string {
  if (!name.includes('_')) return isOldStyle(name) ? name.toLowerCase() : name
  return name.toLowerCase().replace(/(?<=[^_])_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** `taskAcksLate` → `task_acks_late`, as Celery's documentation and Python programs write it. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Whether a name is written as before Celery 4, in capitals. */
export function isOldStyle(name: string): boolean {
  return /[A-Z]/.test(name) && !/[a-z]/.test(name)
}
