import { readdirSync, readFileSync } from 'node:fs'

/** Versions of Celery whose messages and records lie in `golden/`. */
export const VERSIONS = ['4.3', '5.2', '5.6'] as const

/** A file of `golden/tasks/redis-*` or `golden/tasks/worker-sent-redis-*`. */
export interface TaskCase {
  readonly call?: string
  readonly result_as_tuple?: unknown
  /** Absent where Python itself failed. */
  readonly messages?: readonly { readonly raw: string; readonly decoded: DecodedMessage }[]
}

export interface DecodedMessage {
  /** The body after decompression. */
  readonly body: unknown
  readonly 'content-type': string
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: Readonly<Record<string, unknown>>
}

/** A file `golden/tasks/tolerance-*`. */
export interface ToleranceFile {
  readonly cases: readonly { readonly case: string; readonly message: unknown; readonly outcome: string }[]
}

export function readGolden<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`golden/${path}`, import.meta.url), 'utf8')) as T
}

/** Name and content of every file in a folder of `golden/`. */
export function readFolder<T>(path: string): [name: string, content: T][] {
  return readdirSync(new URL(`golden/${path}`, import.meta.url)).map((file) => [
    file.replace('.json', ''),
    readGolden<T>(`${path}/${file}`),
  ])
}
