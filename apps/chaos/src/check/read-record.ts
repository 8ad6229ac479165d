import type { StoredState } from './evidence.ts'

/** What a record says. Tasks of the run return their attempt, or fail with it as the message of their error. */
export function readRecord(record: string): StoredState {
  const { status, result } = JSON.parse(record) as { readonly status: string; readonly result?: unknown }
  const failure = result as { readonly exc_type?: unknown; readonly exc_message?: readonly unknown[] } | null
  const text = typeof result === 'string' ? result : failure?.exc_message?.[0]
  if (typeof text === 'string' && /^[\w-]+$/.test(text)) return { state: status, attempt: text }
  return {
    state: status,
    attempt: undefined,
    ...(text === undefined ? {} : { error: `${failure?.exc_type}: ${text}` }),
  }
}
