import { CeleryError } from '@celery/promises'
import type { CommandContext } from './command-context.ts'
import { describeConfigOrigin } from './config-origin.ts'
import { describeUrlOrigin } from './url-origin.ts'

/** Exit statuses of `sysexits.h`, as Celery's. */
export const exitUsage = 64
/** Ours: of those who ask for a worker on this machine. */
export const exitNoWorker = 2
const exitFailure = 1
const exitUnavailable = 69
const exitCannotCreate = 73
const exitConfig = 78

const statuses: Readonly<Record<string, number>> = {
  ERR_CELERY_USAGE: exitUsage,
  ERR_CELERY_INVALID_BROKER_URL: exitUsage,
  ERR_CELERY_INVALID_DATABASE_URL: exitUsage,
  ERR_CELERY_INVALID_REDIS_ADDRESS: exitUsage,
  ERR_CELERY_INVALID_SERVER_URL: exitUsage,
  ERR_CELERY_UNKNOWN_BACKEND: exitUsage,
  ERR_CELERY_UNKNOWN_TRANSPORT: exitUsage,
  ERR_CELERY_REDIS_REFUSED: exitConfig,
  ERR_CELERY_PID_FILE: exitCannotCreate,
  ERR_CELERY_CONNECTION_LOST: exitUnavailable,
  ERR_CELERY_BACKEND_UNAVAILABLE: exitUnavailable,
}

export function exitStatus(error: unknown): number {
  for (const { code } of chainOf(error)) {
    const status = statuses[code]
    if (status !== undefined) return status
  }
  return exitFailure
}

/** An error of ours in its own words, and where what is wrong was said; a foreign one with its stack. */
export function describeFailure(error: unknown, context: CommandContext): string {
  if (!CeleryError.is(error)) return error instanceof Error ? (error.stack ?? error.message) : String(error)
  const hints = chainOf(error).flatMap((each) => [
    describeUrlOrigin(each, context),
    describeConfigOrigin(each, context),
  ])
  return [error.message, ...hints.filter((hint) => hint !== undefined)].join('\n')
}

/** Errors of ours, the one that was thrown first; its causes follow. */
function chainOf(error: unknown): readonly CeleryError[] {
  const chain: CeleryError[] = []
  let current = error
  while (CeleryError.is(current) && !chain.includes(current)) {
    chain.push(current)
    current = current.cause
  }
  return chain
}
