import { inspect } from 'node:util'
import { closestName } from '@celery/promises'
import type { WaitOptions } from './wait-for-result.ts'

export interface GetOptions extends WaitOptions {
  /** `false` resolves to the error of a failed task instead of rejecting with it. @defaultValue `true` */
  readonly propagate?: boolean | undefined
  /** `false` waits for this task alone, whatever happens to the steps before it. @defaultValue `true` */
  readonly followParents?: boolean | undefined
  /** `false` allows to wait inside a task, which can bring all workers to a stop: each waits for a task that none is free to run. @defaultValue `true` */
  readonly disableSyncSubtasks?: boolean | undefined
}

const known: Readonly<Record<keyof GetOptions, true>> = {
  timeout: true,
  propagate: true,
  followParents: true,
  disableSyncSubtasks: true,
  interval: true,
  onMessage: true,
  signal: true,
}

/** What the compiler would have refused: a slip in the timeout would wait for ever instead of failing. @throws TypeError */
export function assertGetOptions(options: GetOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`get() takes options: get({ timeout: ${String(options)} })`)
  }
  const { timeout } = options
  if (timeout !== undefined && (typeof timeout !== 'number' || Number.isNaN(timeout))) {
    throw new TypeError(`the timeout of get() must be a number of seconds, not ${inspect(timeout)}`)
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name))
  if (unknown === undefined) return
  const names = Object.keys(known)
  const near = closestName(unknown, names)
  const hint = near === undefined ? `known are ${names.join(', ')}` : `did you mean ${near}?`
  throw new TypeError(`get() has no option "${unknown}"; ${hint}`)
}
