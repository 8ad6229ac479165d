import { decodeEnvelope, readTaskId, type WireMessage } from '@celery/protocol'
import type { Delivery } from '@celery/transport'

/** What a dead letter says of itself: a task that had been acknowledged early is there as a copy, whose headers say why. */
export function readCopy(payload: Delivery['payload']): {
  readonly id?: string | undefined
  readonly reason?: string
} {
  const message = decode(payload)
  if (message === undefined) return {}
  const reason = message.headers['x-celery-dead-reason']
  return { id: readTaskId(message.headers), ...(typeof reason === 'string' ? { reason } : {}) }
}

function decode(payload: Delivery['payload']): WireMessage | undefined {
  try {
    return typeof payload === 'string' || payload instanceof Uint8Array ? decodeEnvelope(payload) : payload
  } catch {
    // That is why it is there.
    return undefined
  }
}
