import { COMPOSITE_TASKS, decodeSignature, type SignatureData } from '@celery/protocol'
import { EmptyChainError } from './errors.ts'
import { addLinks, mergeCall, mergeOptions, signatureData } from './signature-data.ts'

/**
 * One flat chain of all the signatures; a chain among them is replaced by its steps.
 *
 * @throws EmptyChainError
 */
export function chainData(signatures: readonly SignatureData[]): SignatureData {
  if (signatures.length === 0) throw new EmptyChainError()
  return signatureData({
    task: COMPOSITE_TASKS.chain,
    kwargs: { tasks: signatures.flatMap(stepsOf) },
    subtask_type: 'chain',
  })
}

/**
 * The tasks that a signature runs one after the other: itself, or the steps of a chain.
 *
 * What was said of the chain as a whole goes where Celery puts it: arguments and options to the first step, its id and
 * its callbacks to the last one, its errbacks to every one.
 *
 * @throws EmptyChainError, or InvalidTaskMessageError if a step is not a signature
 */
export function stepsOf(signature: SignatureData): readonly SignatureData[] {
  if (signature.subtask_type !== 'chain') return [signature]
  const { tasks, ...kwargs } = signature.kwargs
  if (!Array.isArray(tasks) || tasks.length === 0) throw new EmptyChainError()
  const steps = tasks.map((task, index) => decodeSignature(task, `chain.tasks[${index}]`)).flatMap(stepsOf)
  const { link, link_error, task_id, ...options } = signature.options
  const last = steps.length - 1
  return steps.map((step, index) => {
    const call = index === 0 ? mergeCall(step, { args: signature.args, kwargs, options }) : step
    const ending = index === last ? { ...(link && { link }), ...(task_id !== undefined && { task_id }) } : {}
    return { ...call, options: mergeOptions(call.options, { ...ending, ...(link_error && { link_error }) }) }
  })
}

/** Adds to a signature what is given when it is called; see `mergeCall`. A chain hands arguments to its first step. */
export function applyTo(
  signature: SignatureData,
  call: Partial<Pick<SignatureData, 'args' | 'kwargs' | 'options'>>,
): SignatureData {
  if (signature.subtask_type !== 'chain') return mergeCall(signature, call)
  const { args, kwargs, options } = call
  const chain = options === undefined ? signature : { ...signature, options: mergeOptions(signature.options, options) }
  if (!args?.length && kwargs === undefined) return chain
  const [first, ...rest] = stepsOf({ ...signature, options: {} })
  const begun = mergeCall(first as SignatureData, { ...(args && { args }), ...(kwargs && { kwargs }) })
  return { ...chain, args: [], kwargs: { tasks: [begun, ...rest] } }
}

/** Adds a callback or an errback, once. */
export function linkTo(signature: SignatureData, kind: 'link' | 'link_error', linked: SignatureData): SignatureData {
  const links = addLinks(signature.options[kind], [linked])
  return { ...signature, options: { ...signature.options, [kind]: links } }
}
