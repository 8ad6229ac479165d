/** When a call may start and when it is too late, from seconds, dates and texts to milliseconds since 1970. */
import type { PlannedCall } from '@celery/canvas'
import { isWritableTime, parseIsoTime } from '@celery/protocol'
import { TaskOptionError } from './call-errors.ts'
import type { TaskOptions } from './task.ts'

/** @throws TaskOptionError */
export function etaOf({ task, options }: PlannedCall, nowMs: number): number | undefined {
  // Python writes null for what is not set.
  const countdown: unknown = options.countdown ?? undefined
  const eta: unknown = options.eta ?? undefined
  if (countdown !== undefined) return later(task, 'countdown', countdown, nowMs)
  return eta === undefined ? undefined : moment(task, 'eta', eta)
}

/** @throws TaskOptionError */
export function expiryOf(
  { task, options }: PlannedCall,
  defaults: TaskOptions | undefined,
  nowMs: number,
): number | undefined {
  const expires = options.expires ?? defaults?.expires
  if (expires === undefined) return undefined
  return typeof expires === 'number' ? later(task, 'expires', expires, nowMs) : moment(task, 'expires', expires)
}

/** So many seconds from now. */
function later(task: string, option: string, seconds: unknown, nowMs: number): number {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) {
    throw TaskOptionError.expected(task, option, 'a finite number of seconds', seconds)
  }
  const ms = nowMs + seconds * 1_000
  if (!isWritableTime(ms)) throw TaskOptionError.expected(task, option, 'a time of the years 1 to 9999', seconds)
  return ms
}

function moment(task: string, option: string, value: unknown): number {
  const ms = typeof value === 'string' ? parseIsoTime(value) : undefined
  if (ms === undefined) throw TaskOptionError.expected(task, option, 'a Date or an ISO 8601 time', value)
  if (!isWritableTime(ms)) throw TaskOptionError.expected(task, option, 'a time of the years 1 to 9999', value)
  return ms
}
