import {
  decodeEnvelope,
  decodeMessageHeaders,
  decodeTaskBody,
  parseIsoTime,
  readTaskId,
  type WireMessage,
} from '@celery/protocol'
import { readBody } from '@celery/serialization'
import type { Codecs } from './codecs.ts'
import { taskWithoutResult } from './setup.ts'

/** What a spoiled message says, to whoever can read it. */
export interface Reading {
  /** Under which its result is looked for; absent where none can be read. */
  readonly id: string | undefined
  /** No result is kept of it, so that there may be none. */
  readonly ignoresResult: boolean
  /** Milliseconds since 1970 before which it is not to run. */
  readonly etaMs: number | undefined
  /** Why it cannot be run by anybody, whatever tasks there are. */
  readonly error: Error | undefined
}

/** Reads a message as far as it goes. Never throws. */
export function read(payload: string | Uint8Array, codecs: Codecs): Reading {
  const unreadable = { id: undefined, ignoresResult: false, etaMs: undefined }
  let message: WireMessage
  try {
    message = decodeEnvelope(payload)
  } catch (error) {
    return { ...unreadable, error: error as Error }
  }
  try {
    const headers = decodeMessageHeaders(message, (it) => readBody(it, codecs))
    const known = {
      id: headers.id,
      ignoresResult: headers.ignore_result ?? headers.task === taskWithoutResult,
      etaMs: etaOf(headers.eta),
    }
    try {
      decodeTaskBody(readBody(message, codecs))
      return { ...known, error: undefined }
    } catch (error) {
      return { ...known, error: error as Error }
    }
  } catch (error) {
    return { ...unreadable, id: readTaskId(message.headers), error: error as Error }
  }
}

function etaOf(eta: string | null): number | undefined {
  return eta === null ? undefined : parseIsoTime(eta)
}
