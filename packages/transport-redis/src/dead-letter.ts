/** What stands in a dead-letter list: `{"at":<milliseconds>,"reason":<text or null>,"payload":<the message as it was>}`. */
export interface DeadLetter {
  readonly reason: string | undefined
  /** Everything before the payload. */
  readonly head: Buffer
  readonly payload: Buffer
}

/**
 * Takes a dead letter out of its wrapping; `undefined` for what is not wrapped. Not parsed, since the message in it may
 * be anything. In a JSON text no quote stands without a backslash, so the first `,"payload":` is the right one.
 */
export function unwrapDead(value: Buffer): DeadLetter | undefined {
  if (!value.subarray(0, start.length).equals(start)) return undefined
  const end = value.indexOf(separator)
  if (end < 0) return undefined
  const head = value.subarray(0, end + separator.length)
  const text = /^\{"at":\d+,"reason":(.*),"payload":$/s.exec(head.toString('utf8'))?.[1]
  if (text === undefined) return undefined
  return { reason: readReason(text), head, payload: value.subarray(head.length, -1) }
}

const start = Buffer.from('{"at":')
const separator = Buffer.from(',"payload":')

function readReason(text: string): string | undefined {
  try {
    const reason: unknown = JSON.parse(text)
    return typeof reason === 'string' ? reason : undefined
  } catch {
    return undefined
  }
}
