/**
 * An outcome between the processes: the record, already encoded, travels as the body and not inside the JSON header,
 * so that neither side encodes it twice. What the header cannot hold of follow-up messages travels as text of its own:
 * headers and properties, which may have integers beyond 2^53 and be as deep as the envelope lets them, and bytes.
 */
import type { TraceOutcome } from '@celery/app/internal'
import type { ResultWrite } from '@celery/backend'
import { CeleryError, quote } from '@celery/promises'
import { EncodeError, parseJson, stringifyJson } from '@celery/serialization'
import type { Publication } from '@celery/transport'

export interface OutcomeReply {
  readonly header: unknown
  readonly body: string | Uint8Array
}

/** What is told of a record beside its own text or bytes. */
type AboutRecord = Omit<ResultWrite, 'record'> & { readonly isBytes?: boolean }
/** Records of other tasks travel in the header: they are rare, and there may be many. Bytes as Base64. */
type OtherRecord = AboutRecord & { readonly record: string }

/** @throws EncodeError */
export function splitOutcome(outcome: TraceOutcome): OutcomeReply {
  const { publish, unreached, write, ...rest } = outcome
  if (write === undefined && publish === undefined && unreached === undefined) return { header: outcome, body: '' }
  return {
    header: {
      ...rest,
      ...(write === undefined ? undefined : { write: aboutRecord(write) }),
      ...(publish === undefined ? undefined : { publish: publish.map(toText) }),
      ...(unreached === undefined ? undefined : { unreached: unreached.map(otherRecord) }),
    },
    body: write?.record ?? '',
  }
}

function aboutRecord({ record, ...about }: ResultWrite): AboutRecord {
  return typeof record === 'string' ? about : { ...about, isBytes: true }
}

function otherRecord(write: ResultWrite): OtherRecord {
  const { record } = write
  return { ...aboutRecord(write), record: typeof record === 'string' ? record : Buffer.from(record).toString('base64') }
}

/** @throws DecodeError */
export function joinOutcome(header: unknown, body: string | Uint8Array): TraceOutcome {
  const { publish, unreached, write, ...rest } = header as ReplyHeader
  if (write === undefined && publish === undefined && unreached === undefined) return rest
  return {
    ...rest,
    ...(write === undefined ? undefined : { write: withRecord(write, body) }),
    ...(publish === undefined ? undefined : { publish: publish.map(fromText) }),
    ...(unreached === undefined ? undefined : { unreached: unreached.map(writeOf) }),
  }
}

function writeOf({ isBytes, record, ...about }: OtherRecord): ResultWrite {
  return { ...about, record: isBytes === true ? Buffer.from(record, 'base64') : record }
}

type ReplyHeader = Omit<TraceOutcome, 'publish' | 'unreached' | 'write'> & {
  readonly publish?: readonly TextPublication[]
  readonly unreached?: readonly OtherRecord[]
  readonly write?: AboutRecord
}

function withRecord({ isBytes, ...about }: AboutRecord, body: string | Uint8Array): ResultWrite {
  // Its own copy: what it was read with holds the replies of many tasks.
  return { ...about, record: isBytes === true ? Buffer.from(body) : text(body) }
}

type TextPublication = Omit<Publication, 'message'> & {
  readonly message: Omit<Publication['message'], 'body' | 'headers' | 'properties'> & {
    readonly headers: string
    readonly properties: string
    readonly body: string
  }
  /** Whether the body is Base64 of bytes. */
  readonly isBytes?: boolean
}

function toText(publication: Publication): TextPublication {
  const { message, routingKey } = publication
  const { body } = message
  const isBytes = typeof body !== 'string'
  return {
    ...publication,
    message: {
      ...message,
      headers: written(message.headers, () => `the headers of a message to ${quote(routingKey)}`),
      properties: written(message.properties, () => `the properties of a message to ${quote(routingKey)}`),
      body: isBytes ? Buffer.from(body).toString('base64') : body,
    },
    ...(isBytes ? { isBytes } : undefined),
  }
}

/** @throws EncodeError */
function written(value: unknown, what: () => string): string {
  try {
    return stringifyJson(value)
  } catch (error) {
    if (!CeleryError.is(error, 'ERR_CELERY_ENCODE')) throw error
    const { contentType, path, reason } = error as EncodeError
    throw new EncodeError(contentType, reason, `${what()}${path.slice(1)}`, { cause: error })
  }
}

function fromText({ isBytes, ...publication }: TextPublication): Publication {
  const { message } = publication
  return {
    ...publication,
    message: {
      ...message,
      headers: parseJson(message.headers) as Publication['message']['headers'],
      properties: parseJson(message.properties) as Publication['message']['properties'],
      body: isBytes === true ? Buffer.from(message.body, 'base64') : message.body,
    },
  }
}

function text(body: string | Uint8Array): string {
  return typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
}
