import type { MessageReader, TraceInput } from '@celery/app/internal'
import type { WireMessage } from '@celery/protocol'

/** What a task message says by where it was found. */
export type MessageOrigin = Pick<TraceInput, 'hostname' | 'queue' | 'redeliveries'>

/**
 * Reads a task message as far as its headers; for one of protocol 1 that takes its body.
 * @throws InvalidTaskMessageError; for protocol 1, what is wrong with the body, and CodecUnavailableError where
 * `messages.prepare(message)` was not awaited.
 */
export function readTraceInput(
  message: WireMessage,
  { hostname, queue, redeliveries }: MessageOrigin,
  messages: Pick<MessageReader, 'readHeaders'>,
): TraceInput {
  return {
    headers: messages.readHeaders(message),
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
