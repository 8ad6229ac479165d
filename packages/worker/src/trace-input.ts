import type { TraceInput } from '@celery/app/internal'
import { decodeTaskHeaders, type WireMessage } from '@celery/protocol'

/** What a task message says by where it was found. */
export type MessageOrigin = Pick<TraceInput, 'hostname' | 'queue' | 'redeliveries'>

/**
 * Reads a task message as far as its headers.
 * @throws InvalidTaskMessageError
 */
export function readTraceInput(message: WireMessage, { hostname, queue, redeliveries }: MessageOrigin): TraceInput {
  return {
    headers: decodeTaskHeaders(message.headers),
    body: message.body,
    contentType: message.contentType,
    contentEncoding: message.contentEncoding,
    replyTo: message.properties.reply_to,
    priority: message.properties.priority,
    queue,
    redeliveries,
    hostname,
  }
}
