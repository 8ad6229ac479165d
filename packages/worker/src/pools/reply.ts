/**
 * An outcome between the processes: the record, already encoded, travels as the body and not inside the JSON header,
 * so that neither side encodes it twice. Follow-up messages travel as text of their own, because they may hold what
 * plain JSON does not: integers beyond 2^53 in their headers, and bytes as their bodies.
 */
import type { TraceOutcome } from '@celery/app/internal'
import { parseJson, stringifyJson } from '@celery/serialization'
import type { Publication } from '@celery/transport'

export interface OutcomeReply {
  readonly header: unknown
  readonly body: string
}

export function splitOutcome(outcome: TraceOutcome): OutcomeReply {
  if (outcome.write === undefined && outcome.publish === undefined) return { header: outcome, body: '' }
  const { publish, write, ...rest } = outcome
  const { record = '', ...about } = write ?? {}
  return {
    header: {
      ...rest,
      ...(write === undefined ? undefined : { write: about }),
      ...(publish === undefined ? undefined : { publish: stringifyJson(publish.map(toText)) }),
    },
    body: record,
  }
}

export function joinOutcome(header: unknown, body: string | Uint8Array): TraceOutcome {
  const { publish, write, ...rest } = header as TraceOutcome & { readonly publish?: unknown }
  if (write === undefined && publish === undefined) return header as TraceOutcome
  return {
    ...rest,
    ...(write === undefined ? undefined : { write: { ...write, record: text(body) } }),
    ...(publish === undefined
      ? undefined
      : { publish: (parseJson(String(publish)) as TextPublication[]).map(fromText) }),
  }
}

type TextPublication = Omit<Publication, 'message'> & {
  readonly message: Publication['message'] & { readonly body: string }
  /** Whether the body is Base64 of bytes. */
  readonly isBytes?: boolean
}

function toText(publication: Publication): TextPublication {
  const { message } = publication
  const { body } = message
  return typeof body === 'string'
    ? { ...publication, message: { ...message, body } }
    : { ...publication, message: { ...message, body: Buffer.from(body).toString('base64') }, isBytes: true }
}

function fromText({ isBytes, ...publication }: TextPublication): Publication {
  if (isBytes !== true) return publication
  const { message } = publication
  return { ...publication, message: { ...message, body: Buffer.from(message.body, 'base64') } }
}

function text(body: string | Uint8Array): string {
  return typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
}
