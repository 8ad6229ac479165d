/**
 * An outcome between the processes: the record, already encoded, travels as the body and not inside the JSON header,
 * so that neither side encodes it twice.
 */
import type { TraceOutcome } from '@celery/app'

export interface OutcomeReply {
  readonly header: unknown
  readonly body: string
}

export function splitOutcome(outcome: TraceOutcome): OutcomeReply {
  if (outcome.write === undefined) return { header: outcome, body: '' }
  const { record, ...write } = outcome.write
  return { header: { ...outcome, write }, body: record }
}

export function joinOutcome(header: unknown, body: string | Uint8Array): TraceOutcome {
  const outcome = header as TraceOutcome
  if (outcome.write === undefined) return outcome
  const record = typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
  return { ...outcome, write: { ...outcome.write, record } }
}
