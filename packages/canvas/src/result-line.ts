import type { SignatureData } from '@celery/protocol'
import type { AsyncResult } from '@celery/results'

/** The handle on the last of the frozen steps, each one's parent the step before it. */
export function resultLine(
  steps: readonly SignatureData[],
  make: (step: SignatureData, parent: AsyncResult | undefined) => AsyncResult,
): AsyncResult {
  let result: AsyncResult | undefined
  for (const step of steps) result = make(step, result)
  if (result === undefined) throw new RangeError('there is no result of no steps')
  return result
}
