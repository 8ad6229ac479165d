import type { ChordCompletion, ChordCounter, ChordOptions, ChordPart } from '@celery/backend'
import { endChord, extendChord, recordChordPart } from './count-chord.ts'
import type { RedisLink } from './redis-link.ts'
import { setValues } from './store-record.ts'
import { ttlArgument } from './ttl-argument.ts'

/** How long a finished chord is remembered where its counters never expire. */
const ONE_DAY_MS = 86_400_000

/** Where the parts are kept: Celery 5.1 and later, or 4.3. */
export type ChordLayout = 'zset' | 'list'

/** Counts chords in Celery's own keys, together with Python workers. */
export class RedisChordCounter implements ChordCounter {
  readonly #link: RedisLink
  readonly #groupKeyPrefix: string
  readonly #layout: ChordLayout | undefined

  /** @param layout - For chords of which there are no parts yet. Default: a sorted set, but a list where the sender is old. */
  constructor(link: RedisLink, groupKeyPrefix: string, layout: ChordLayout | undefined) {
    this.#link = link
    this.#groupKeyPrefix = groupKeyPrefix
    this.#layout = layout
  }

  async begin(groupId: string, size: number, options: ChordOptions = {}): Promise<void> {
    const keys = [`${this.#groupKeyPrefix}${groupId}.s`]
    await this.#link.run((client) => client.script(setValues, keys, [size, ttlArgument(options.ttlMs)]), options)
  }

  async extend(groupId: string, taskIds: readonly string[], options: ChordOptions = {}): Promise<void> {
    const [, , added, own] = this.#keys(groupId)
    const args = [ttlArgument(options.ttlMs), ...taskIds]
    await this.#link.run((client) => client.script(extendChord, [added, own], args), options)
  }

  async recordPart(part: ChordPart, options: ChordOptions = {}): Promise<ChordCompletion | undefined> {
    const { groupId, index, member, size, state, taskId } = part
    const keys = this.#keys(groupId)
    const args = [
      taskId,
      state,
      member,
      index ?? '+inf',
      ttlArgument(options.ttlMs),
      size ?? '',
      this.#layout ?? '',
    ] as const
    const members = await this.#link.run((client) => client.scriptBuffer(recordChordPart, keys, args), options)
    if (members === null) return undefined
    return { members: members as readonly Buffer[], [Symbol.asyncDispose]: () => this.#end(keys, options.ttlMs) }
  }

  async #end(keys: ChordKeys, ttlMs: number | undefined): Promise<void> {
    const rememberMs = ttlArgument(Math.min(ttlMs ?? ONE_DAY_MS, ONE_DAY_MS))
    await this.#link.run((client) => client.script(endChord, keys, [rememberMs]))
  }

  #keys(groupId: string): ChordKeys {
    const group = `${this.#groupKeyPrefix}${groupId}`
    return [`${group}.j`, `${group}.s`, `${group}.t`, `${group}._celery`]
  }
}

type ChordKeys = readonly [parts: string, size: string, added: string, own: string]
