import type { WireMessage } from '@celery/protocol'
import type { TraceInput } from './trace-types.ts'

/**
 * The message of a task once more, under its own id: as it was received, with further headers. Nothing drops it when it
 * expires, as a broker would: whoever receives it says so.
 */
export function messageCopy(input: TraceInput, more: WireMessage['headers']): WireMessage {
  const { body, contentEncoding, contentType, headers, priority, replyTo } = input
  return {
    body,
    contentType,
    contentEncoding,
    headers: { ...headers, ...more },
    properties: {
      correlation_id: headers.id,
      delivery_mode: 2,
      ...(priority === undefined ? {} : { priority }),
      ...(replyTo === undefined ? {} : { reply_to: replyTo }),
    },
  }
}
