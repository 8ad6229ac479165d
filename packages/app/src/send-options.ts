import { type PlanOptions, wireOptions } from '@celery/canvas'
import type { SignatureOptions } from '@celery/protocol'
import type { Delivery } from './delivery.ts'
import type { SendOptions } from './task.ts'

/** The options of a call apart: what its message says, how it is sent, and its place in a workflow. */
export interface SplitOptions {
  readonly options: SignatureOptions
  readonly delivery: Delivery | undefined
  readonly place: Pick<PlanOptions, 'rootId' | 'parentId'>
}

/** @throws UnknownCallOptionError */
export function splitOptions(given: SendOptions, task: string): SplitOptions {
  const { connection, declare, parentId, producer, queue, retryPolicy, rootId, ...rest } = given
  const { retryErrors, ...policy } = retryPolicy ?? {}
  const entity = typeof queue === 'object' ? queue : undefined
  const isPlain = connection ?? declare ?? producer ?? entity ?? retryErrors
  return {
    options: wireOptions(
      {
        ...rest,
        ...(typeof queue === 'object' ? { queue: queue.name } : { queue }),
        ...(retryPolicy === undefined ? undefined : { retryPolicy: policy }),
      },
      task,
    ),
    delivery: isPlain === undefined ? undefined : { connection, declare, producer, queue: entity, retryErrors },
    place: { rootId, parentId },
  }
}
