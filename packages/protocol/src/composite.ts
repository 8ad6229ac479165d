import type { SignatureData } from './signature-data.ts'

/** `subtask_type` of a composition. */
export type CompositeType = 'chain' | 'group' | 'chord' | 'xmap' | 'xstarmap' | 'chunks'

/** The task names that the signatures of compositions carry. */
export const COMPOSITE_TASKS: Readonly<Record<CompositeType, string>> = {
  chain: 'celery.chain',
  group: 'celery.group',
  chord: 'celery.chord',
  xmap: 'celery.map',
  xstarmap: 'celery.starmap',
  chunks: 'celery.chunks',
}

/** Whether the signature stands for more than one call. A `subtask_type` we do not know does, for all we know. */
export function isComposite(signature: SignatureData): boolean {
  return signature.subtask_type !== null
}
