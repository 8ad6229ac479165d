/**
 * What a worker sends after a task has ended: the next step of its chain, its callbacks, its errbacks.
 *
 * An id that the signature does not fix is derived from the finished task's, so that a worker which repeats this step after
 * a crash sends the same ids again, and the copies are recognised.
 */
import { createHash } from 'node:crypto'
import type { SignatureData } from '@celery/protocol'
import { applyTo } from './chain-data.ts'
import type { PlannedCall } from './dispatcher.ts'
import { planCall } from './plan-call.ts'

/** The task that has ended. */
export interface FinishedTask {
  readonly taskId: string
  readonly rootId: string
  /** Where replies to what the worker sends go. */
  readonly replyTo?: string | undefined
}

/** The step after this one with the result as its first argument, or nothing at the end. `chain` holds the next step last. */
export function nextChainStep(
  chain: readonly SignatureData[] | null | undefined,
  result: unknown,
  finished: FinishedTask,
): PlannedCall | undefined {
  const next = chain?.at(-1)
  if (next === undefined) return undefined
  return followUp(next, [result], finished, 'chain', chain?.slice(0, -1))
}

/** One call for each callback, with the result as its first argument. */
export function callbackCalls(
  callbacks: readonly SignatureData[] | null | undefined,
  result: unknown,
  finished: FinishedTask,
): readonly PlannedCall[] {
  if (!callbacks?.length) return NO_CALLS
  return callbacks.map((callback, index) => followUp(callback, [result], finished, `callback:${index}`))
}

/** One call for each errback, with the id of the task that failed as its first argument (Celery's form for other languages). */
export function errbackCalls(
  errbacks: readonly SignatureData[] | null | undefined,
  finished: FinishedTask,
): readonly PlannedCall[] {
  if (!errbacks?.length) return NO_CALLS
  return errbacks.map((errback, index) => followUp(errback, [finished.taskId], finished, `errback:${index}`))
}

/** The id of something that belongs to a task, always the same for the same `label`: a name-based UUID. */
export function derivedId(taskId: string, label: string): string {
  const hash = createHash('sha1').update(`${taskId}/${label}`).digest()
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function followUp(
  signature: SignatureData,
  args: readonly unknown[],
  finished: FinishedTask,
  label: string,
  chain?: readonly SignatureData[],
): PlannedCall {
  let made = 0
  const plan = planCall(applyTo(signature, { args }), {
    newId: () => derivedId(finished.taskId, `${label}:${made++}`),
    replyTo: finished.replyTo,
    chain,
    rootId: finished.rootId,
    parentId: finished.taskId,
  })
  return plan.call
}

const NO_CALLS: readonly PlannedCall[] = []
