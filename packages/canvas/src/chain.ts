import type { AnyArgs } from './arguments.ts'
import { chainData } from './chain-data.ts'
import { dataOf } from './data-of.ts'
import { type NextStep, Signature } from './signature.ts'

/**
 * Runs signatures one after the other, each with the result of the one before it in front of its own arguments:
 * `chain(a, b, c)` is `a.pipe(b).pipe(c)`. More than eight steps with their types checked: use `pipe`.
 *
 * @throws EmptyChainError
 */
export function chain<M extends AnyArgs, R1>(first: Signature<M, R1>): Signature<M, R1, false>
export function chain<M extends AnyArgs, R1, R2>(
  first: Signature<M, R1>,
  step2: NextStep<NoInfer<R1>, R2>,
): Signature<M, R2, false>
export function chain<M extends AnyArgs, R1, R2, R3>(
  first: Signature<M, R1>,
  step2: NextStep<NoInfer<R1>, R2>,
  step3: NextStep<NoInfer<R2>, R3>,
): Signature<M, R3, false>
export function chain<M extends AnyArgs, R1, R2, R3, R4>(
  first: Signature<M, R1>,
  step2: NextStep<NoInfer<R1>, R2>,
  step3: NextStep<NoInfer<R2>, R3>,
  step4: NextStep<NoInfer<R3>, R4>,
): Signature<M, R4, false>
export function chain<M extends AnyArgs, R1, R2, R3, R4, R5>(
  first: Signature<M, R1>,
  step2: NextStep<NoInfer<R1>, R2>,
  step3: NextStep<NoInfer<R2>, R3>,
  step4: NextStep<NoInfer<R3>, R4>,
  step5: NextStep<NoInfer<R4>, R5>,
): Signature<M, R5, false>
export function chain<M extends AnyArgs, R1, R2, R3, R4, R5, R6>(
  first: Signature<M, R1>,
  step2: NextStep<NoInfer<R1>, R2>,
  step3: NextStep<NoInfer<R2>, R3>,
  step4: NextStep<NoInfer<R3>, R4>,
  step5: NextStep<NoInfer<R4>, R5>,
  step6: NextStep<NoInfer<R5>, R6>,
): Signature<M, R6, false>
export function chain<M extends AnyArgs, R1, R2, R3, R4, R5, R6, R7>(
  first: Signature<M, R1>,
  step2: NextStep<NoInfer<R1>, R2>,
  step3: NextStep<NoInfer<R2>, R3>,
  step4: NextStep<NoInfer<R3>, R4>,
  step5: NextStep<NoInfer<R4>, R5>,
  step6: NextStep<NoInfer<R5>, R6>,
  step7: NextStep<NoInfer<R6>, R7>,
): Signature<M, R7, false>
export function chain<M extends AnyArgs, R1, R2, R3, R4, R5, R6, R7, R8>(
  first: Signature<M, R1>,
  step2: NextStep<NoInfer<R1>, R2>,
  step3: NextStep<NoInfer<R2>, R3>,
  step4: NextStep<NoInfer<R3>, R4>,
  step5: NextStep<NoInfer<R4>, R5>,
  step6: NextStep<NoInfer<R5>, R6>,
  step7: NextStep<NoInfer<R6>, R7>,
  step8: NextStep<NoInfer<R7>, R8>,
): Signature<M, R8, false>
/** The steps of a list, unchecked. */
export function chain(steps: Iterable<AnyStep>): Signature<AnyArgs, unknown, false>
export function chain(first: AnyStep | Iterable<AnyStep>, ...steps: AnyStep[]): Signature<AnyArgs, unknown, false> {
  // Also of what is no object, which is then refused as the step that it is not.
  const all: AnyStep[] =
    Symbol.iterator in Object(first) ? [...(first as Iterable<AnyStep>)] : [first as AnyStep, ...steps]
  return new Signature(
    chainData(all.map((step) => dataOf(step, 'chain()'))),
    all.find((step) => step.dispatcher)?.dispatcher,
  )
}

/** Any signature at all. */
export type AnyStep = Signature<never, unknown>
