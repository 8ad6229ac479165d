/**
 * An outcome between the processes: the record, already encoded, travels as the body and not inside the JSON header,
 * so that neither side encodes it twice. Follow-up messages travel as text of their own, because they may hold what
 * plain JSON does not: integers beyond 2^53 in their headers, and bytes as their bodies.
 */
import type { TraceOutcome } from '@celery/app/internal'
import type { ResultWrite } from '@celery/backend'
import { parseJson, stringifyJson } from '@celery/serialization'
import type { Publication } from '@celery/transport'

export interface OutcomeReply {
  readonly header: unknown
  readonly body: string | Uint8Array
}

/** What is told of a record beside its own text or bytes. */
type AboutRecord = Omit<ResultWrite, 'record'> & { readonly isBytes?: boolean }

export function splitOutcome(outcome: TraceOutcome): OutcomeReply {
  if (outcome.write === undefined && outcome.publish === undefined) return { header: outcome, body: '' }
  const { publish, write, ...rest } = outcome
  return {
    header: {
      ...rest,
      ...(write === undefined ? undefined : { write: aboutRecord(write) }),
      ...(publish === undefined ? undefined : { publish: stringifyJson(publish.map(toText)) }),
    },
    body: write?.record ?? '',
  }
}

function aboutRecord({ record, ...about }: ResultWrite): AboutRecord {
  return typeof record === 'string' ? about : { ...about, isBytes: true }
}

export function joinOutcome(header: unknown, body: string | Uint8Array): TraceOutcome {
  const { publish, write, ...rest } = header as ReplyHeader
  if (write === undefined && publish === undefined) return rest
  return {
    ...rest,
    ...(write === undefined ? undefined : { write: withRecord(write, body) }),
    ...(publish === undefined
      ? undefined
      : { publish: (parseJson(String(publish)) as TextPublication[]).map(fromText) }),
  }
}

type ReplyHeader = Omit<TraceOutcome, 'publish' | 'write'> & {
  readonly publish?: unknown
  readonly write?: AboutRecord
}

function withRecord({ isBytes, ...about }: AboutRecord, body: string | Uint8Array): ResultWrite {
  // Its own copy: what it was read with holds the replies of many tasks.
  return { ...about, record: isBytes === true ? Buffer.from(body) : text(body) }
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
