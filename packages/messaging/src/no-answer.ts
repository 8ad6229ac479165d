import { type Clock, systemClock, withDeadline } from '@celery/promises'
import { ConnectionLostError } from '@celery/transport'

/**
 * Milliseconds within which a driver must have answered what needs no waiting. Drivers find out by themselves that their
 * connection is dead, and sooner; this is for the one that does not, and would have everything wait for ever.
 */
export const defaultAnswerTimeoutMs = 30_000

export interface AnswerOptions {
  /** Of the broker, with the password masked. */
  readonly address: string
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Settles as `answer` does; one that does not come in time is a `ConnectionLostError`, and is dropped when it comes later. By
 * the machine's own time: how long a driver takes is no part of what a test's clock measures.
 */
export function answered<T>(what: string, answer: Promise<T>, options: AnswerOptions): Promise<T> {
  const { address, signal, timeoutMs = defaultAnswerTimeoutMs } = options
  return withDeadline(answer, timeoutMs, () => noAnswer(what, address, timeoutMs), { clock: patientClock, signal })
}

export function noAnswer(what: string, address: string, timeoutMs: number): ConnectionLostError {
  return new ConnectionLostError(address, { cause: new Error(`no answer to ${what} within ${timeoutMs} ms`) })
}

/**
 * Calls `run` after `ms`, in two steps: a loop that was blocked runs its timers before it reads what has come meanwhile, and
 * between the two it reads.
 */
export function schedulePatiently(
  clock: Clock,
  ms: number,
  run: () => void,
  options?: Parameters<Clock['schedule']>[2],
): () => void {
  const secondHalf = (): void => {
    cancel = clock.schedule(ms / 2, run, options)
  }
  let cancel = clock.schedule(ms / 2, secondHalf, options)
  return () => cancel()
}

const patientClock: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  schedule: (ms, run) => schedulePatiently(systemClock, ms, run),
}
