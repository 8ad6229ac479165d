import { inspect } from 'node:util'
import { isPriority, MAX_PRIORITY } from '@celery/protocol'

/** @throws RangeError that begins with `what`, for a priority that no broker has. */
export function checkPriority(what: string, value: number): number {
  if (isPriority(value)) return value
  throw new RangeError(`${what} must be an integer from 0 to ${MAX_PRIORITY}, got ${inspect(value)}`)
}
