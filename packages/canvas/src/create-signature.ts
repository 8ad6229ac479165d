import type { AnyArgs } from './arguments.ts'
import { wireOptions } from './call-options.ts'
import type { Dispatcher } from './dispatcher.ts'
import { type KwargsOptions, Signature } from './signature.ts'
import { signatureData } from './signature-data.ts'

export interface SignatureParts<Immutable extends boolean> extends Partial<KwargsOptions> {
  readonly immutable: Immutable
  /** Where it is sent from. */
  readonly dispatcher?: Dispatcher | undefined
}

/** Makes the signature of a task whose types are known; `task.s()` and `task.si()` are this. */
export function createSignature<Missing extends AnyArgs, Result, Immutable extends boolean>(
  task: string,
  args: AnyArgs,
  parts: SignatureParts<Immutable>,
): Signature<Missing, Result, Immutable> {
  const { dispatcher, immutable, kwargs = {}, ...options } = parts
  return new Signature(
    signatureData({ task, args, kwargs, options: wireOptions(options, task), immutable }),
    dispatcher,
  )
}

/** A signature of any task by its name, wherever it lives. The compiler does not check its arguments. */
export function signature<Result = unknown>(
  task: string,
  args: AnyArgs = [],
  options: Partial<SignatureParts<boolean>> = {},
): Signature<AnyArgs, Result> {
  return createSignature(task, args, { immutable: false, ...options })
}
