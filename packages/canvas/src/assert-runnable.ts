import { isComposite, type SignatureData, type TaskEmbed } from '@celery/protocol'
import { stepsOf } from './chain-data.ts'
import { CompositeSignatureError } from './errors.ts'

/**
 * Refuses a message that leads to something which cannot be carried out, before its task runs: its work would be done
 * and what follows it lost.
 *
 * @throws CompositeSignatureError for a chord, a group or another composition
 */
export function assertRunnable(embed: TaskEmbed): void {
  if (embed.chord !== null) throw new CompositeSignatureError('chord', embed.chord.task)
  for (const list of [embed.callbacks, embed.errbacks, embed.chain]) {
    for (const signature of list ?? []) assertPlain(signature)
  }
}

/** As {@link assertRunnable}, for one signature: a task or a chain of tasks passes, if its links do. */
export function assertPlain(signature: SignatureData): void {
  if (signature.subtask_type === 'chain') {
    for (const step of stepsOf(signature)) assertPlain(step)
  } else if (isComposite(signature)) {
    throw new CompositeSignatureError(signature.subtask_type ?? signature.task, signature.task)
  }
  const { chord, link, link_error } = signature.options
  if (chord !== undefined) throw new CompositeSignatureError('chord', chord.task)
  for (const linked of link ?? []) assertPlain(linked)
  for (const linked of link_error ?? []) assertPlain(linked)
}
