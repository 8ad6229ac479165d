import type { WireMessage } from '@celery/protocol'

/**
 * What a message says of its wait for a worker that knows its task (setting `unknownTasks: 'requeue'`). It stands in the
 * message because each time another worker may get it, which cannot know what the others have seen.
 */
export interface UnknownWait {
  /** Milliseconds for which it was held back until now. A sum of waits and no time of day: clocks of workers differ. */
  readonly waitedMs: number
  /** How often it had come back from lost workers: to the broker each requeue is a new message that never did. */
  readonly redeliveries: number
}

type Headers = WireMessage['headers']

const unknownWaitHeader = 'x-celery-unknown'

/** `undefined` where nobody has held the message back, or where what stands there is not ours. */
export function readUnknownWait(headers: Headers): UnknownWait | undefined {
  const found = headers[unknownWaitHeader]
  if (typeof found !== 'object' || found === null) return undefined
  const { waited_ms: waitedMs, redeliveries } = found as Readonly<Record<string, unknown>>
  return isCount(waitedMs) && isCount(redeliveries) ? { waitedMs, redeliveries } : undefined
}

/** What to add to the headers. */
export function unknownWaitHeaders({ waitedMs, redeliveries }: UnknownWait): Headers {
  return { [unknownWaitHeader]: { waited_ms: waitedMs, redeliveries } }
}

/** The headers of a message that starts anew: a retry of a task that was found, or what a person has put back. */
export function withoutUnknownWait<Given extends object>(headers: Given): Given {
  if (!(unknownWaitHeader in headers)) return headers
  const { [unknownWaitHeader]: _, ...rest } = headers
  return rest as Given
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
