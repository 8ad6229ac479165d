import { CeleryError } from '@celery/promises'

/** Whether the connection failed, rather than the request: worth another connection. */
export function isConnectionLost(error: unknown): boolean {
  return CeleryError.is(error, 'ERR_CELERY_CONNECTION_LOST')
}

/** Whether somebody on this side closed the connection: its owner, or who found it failed. */
export function isConnectionClosed(error: unknown): boolean {
  return CeleryError.is(error, 'ERR_CELERY_CONNECTION_CLOSED')
}

/** Whether the same request may succeed later: the connection was lost, or the broker is busy with others. */
export function isTemporary(error: unknown): boolean {
  return isConnectionLost(error) || CeleryError.is(error, 'ERR_CELERY_BROKER_BUSY')
}
