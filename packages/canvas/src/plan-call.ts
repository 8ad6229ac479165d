import type { SignatureData } from '@celery/protocol'
import { assertPlain } from './assert-runnable.ts'
import { stepsOf } from './chain-data.ts'
import type { CallPlan, PlannedCall } from './dispatcher.ts'

/**
 * What to send for a signature: its first task, with the chain that follows in reverse order, all ids fixed.
 *
 * @throws CompositeSignatureError
 */
export function planCall(signature: SignatureData, options: PlanOptions): CallPlan {
  const steps = stepsOf(signature).map((step) => {
    assertPlain(step)
    return freeze(step, options)
  })
  const [first, ...following] = steps
  const chain = [...(options.chain ?? []), ...following.reverse()]
  const isStep = chain.length > 0 || options.chain !== undefined
  return { call: callOf(first as SignatureData, isStep ? chain : null, options), steps }
}

/** Fixes the id of a task's signature, if it has none yet. */
export function freeze(signature: SignatureData, options: Pick<PlanOptions, 'newId' | 'replyTo'>): SignatureData {
  const { task_id = options.newId(), reply_to = options.replyTo } = signature.options
  return { ...signature, options: { ...signature.options, task_id, ...(reply_to !== undefined && { reply_to }) } }
}

export interface PlanOptions {
  newId(): string
  /** Where replies go, for the steps that do not say so themselves. */
  readonly replyTo?: string | undefined
  /** Steps that come after all of these, the next one last. */
  readonly chain?: readonly SignatureData[] | undefined
  readonly rootId?: string | undefined
  readonly parentId?: string | undefined
}

function callOf(step: SignatureData, chain: readonly SignatureData[] | null, options: PlanOptions): PlannedCall {
  // The sender's place in the workflow counts, not that of whoever made the signature.
  const { task_id, link, link_error, root_id: _root, parent_id: _parent, ...rest } = step.options
  return {
    task: step.task,
    taskId: task_id as string,
    args: step.args,
    kwargs: step.kwargs,
    options: rest,
    callbacks: link ?? null,
    errbacks: link_error ?? null,
    chain,
    ...(options.rootId !== undefined && { rootId: options.rootId }),
    ...(options.parentId !== undefined && { parentId: options.parentId }),
  }
}
