import { readFileSync } from 'node:fs'

/** Keys of a Redis that Python Celery used, as `golden/restored-*` and `golden/unacked-*` hold them. */
export type GoldenKeys = Readonly<Record<string, GoldenKey>>

export type GoldenKey =
  | { readonly type: 'set'; readonly value: readonly string[] }
  | { readonly type: 'hash'; readonly value: Readonly<Record<string, string>> }
  | { readonly type: 'zset'; readonly value: readonly (readonly [member: string, score: number])[] }

export interface RestoredFile {
  readonly keys_after_kill: GoldenKeys
  /** What the worker that restored them wrote, one after the other. */
  readonly restore_pushes: readonly { readonly cmd: string; readonly key: string; readonly raw: string }[]
}

export interface UnackedFile {
  readonly keys: GoldenKeys
}

/** Commands in the order in which the server got them. */
export interface TranscriptFile {
  readonly commands: readonly { readonly cmd: readonly string[] }[]
}

export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8')) as T
}

/** What was put into lists: the key, and the envelope. */
export function pushesOf({ commands }: TranscriptFile): { readonly key: string; readonly raw: string }[] {
  return commands.flatMap(({ cmd: [name, key = '', raw = ''] }) => (name === 'LPUSH' ? [{ key, raw }] : []))
}

/** The commands that make such keys. */
export function commandsFor(keys: GoldenKeys): [command: string, ...args: string[]][] {
  return Object.entries(keys).map(([name, key]) => {
    if (key.type === 'set') return ['SADD', name, ...key.value]
    if (key.type === 'hash') return ['HSET', name, ...Object.entries(key.value).flat()]
    return ['ZADD', name, ...key.value.flatMap(([member, score]) => [String(score), member])]
  })
}
