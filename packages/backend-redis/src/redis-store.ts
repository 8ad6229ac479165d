import {
  type AtomicWrite,
  BackendClosedError,
  type ChordCounter,
  type KeyValueEntry,
  type KeyValueStore,
  type KeyValueWrite,
  type StateWrite,
} from '@celery/backend'
import type { AbortableOptions, RetryPolicy } from '@celery/promises'
import { type RedisArgument, type RedisClient, type RedisScript, RedisWrite } from '@celery/redis'
import { KeyWatcher } from './key-watcher.ts'
import { PublishedValues } from './published-values.ts'
import { type ChordLayout, RedisChordCounter } from './redis-chord-counter.ts'
import { RedisLink } from './redis-link.ts'
import { getSome, STORE_RECORD, setValues, storeRecords } from './store-record.ts'
import { fromStored, toStored } from './stored-record.ts'
import { ttlArgument } from './ttl-argument.ts'

/** Of one command: whoever else uses the server gets a turn after some milliseconds. */
const KEYS_PER_COMMAND = 250
const BYTES_PER_COMMAND = 4 * 1024 * 1024
const READING_LANES = 4

export interface RedisStoreOptions {
  /** How a call goes on when the server is away. @defaultValue `defaultRetryPolicy` */
  readonly retryPolicy?: RetryPolicy | undefined
  /** Where the parts of chords are kept. @defaultValue a sorted set, but a list where the sender is Celery before 5.1 */
  readonly chordLayout?: ChordLayout | undefined
}

/** At once, then after 0.2 s, 0.4 s and so on up to 1 s, 20 times: Celery's number of tries, for about as long. */
export const defaultRetryPolicy: RetryPolicy = { maxRetries: 20, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 }

/** The records in one database of a Redis server. Owns the client that it is given, and opens more of the same. */
export class RedisStore implements KeyValueStore {
  readonly domain: string
  readonly #link: RedisLink
  readonly #watcher: KeyWatcher
  readonly #published = new PublishedValues()
  readonly #chordLayout: ChordLayout | undefined
  #closed = false

  constructor(client: RedisClient, options: RedisStoreOptions = {}) {
    const { retryPolicy = defaultRetryPolicy } = options
    this.domain = client.domain
    this.#chordLayout = options.chordLayout
    this.#link = new RedisLink(client, retryPolicy)
    this.#watcher = new KeyWatcher({
      address: client.address,
      open: (openOptions) => client.subscriber(openOptions),
      retryPolicy,
      onPublished: (key, value) => this.#published.add(key, value),
    })
  }

  async getMany(keys: readonly string[], options?: AbortableOptions): Promise<ReadonlyMap<string, KeyValueEntry>> {
    const entries = new Map<string, KeyValueEntry>()
    const unknown: string[] = []
    for (const key of keys) {
      const published = this.#published.get(key)
      if (published === undefined) unknown.push(key)
      else entries.set(key, entryOf(published))
    }
    if (unknown.length === 0) return entries
    for (const [key, stored] of await this.#link.run((client) => readAll(client, unknown), options)) {
      entries.set(key, entryOf(stored))
    }
    return entries
  }

  async set(entries: readonly KeyValueWrite[], options?: AbortableOptions): Promise<void> {
    await this.#write(setValues, entries, ({ value, ttlMs }) => [binary(value), ttlArgument(ttlMs)], options)
  }

  async putUnlessTerminal(entries: readonly StateWrite[], options?: AbortableOptions): Promise<void> {
    await this.#write(storeRecords, entries, recordArguments, options)
  }

  preparePutUnlessTerminal(entries: readonly StateWrite[]): readonly AtomicWrite[] {
    return entries.map((entry) => ({
      domain: this.domain,
      statement: new RedisWrite(STORE_RECORD, [entry.key], recordArguments(entry)),
    }))
  }

  async delete(keys: readonly string[], options?: AbortableOptions): Promise<void> {
    this.#published.delete(keys)
    const batches = [...inBatches(keys, () => 0)]
    await this.#link.run((client) => Promise.all(batches.map((batch) => client.send('UNLINK', ...batch))), options)
  }

  async subscribe(
    keys: readonly string[],
    onChange: (key: string) => void,
    options?: AbortableOptions,
  ): Promise<AsyncDisposable> {
    if (this.#closed) throw new BackendClosedError()
    const unwatch = await this.#watcher.watch(keys, onChange, options)
    return { [Symbol.asyncDispose]: async () => unwatch() }
  }

  countChords(groupKeyPrefix: string): ChordCounter {
    return new RedisChordCounter(this.#link, groupKeyPrefix, this.#chordLayout)
  }

  /** Waits for the answers to what was sent, at most as long as the server may take for one. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.#watcher.close(), this.#link.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** In batches, which leave at once and are carried out in their order. */
  async #write<Entry extends KeyValueWrite>(
    script: RedisScript,
    entries: readonly Entry[],
    toArguments: (entry: Entry) => RedisArgument[],
    options: AbortableOptions | undefined,
  ): Promise<void> {
    this.#published.delete(entries.map(({ key }) => key))
    const batches = [...inBatches(entries, (entry) => entry.value.length)].map((batch) => ({
      keys: batch.map(({ key }) => key),
      args: batch.flatMap(toArguments),
    }))
    await this.#link.run(
      (client) => Promise.all(batches.map(({ keys, args }) => client.script(script, keys, args))),
      options,
    )
  }
}

/** As many as fit into an answer that neither the server nor the link is kept busy by; then the rest, in a few lanes. */
async function readAll(client: RedisClient, keys: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>()
  const waiting: (readonly string[])[] = [...inBatches(keys, () => 0)]
  const lane = async (): Promise<void> => {
    for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
      const [first] = batch
      const values = (
        batch.length === 1 && first !== undefined
          ? await client.sendBuffer('MGET', first)
          : await client.scriptBuffer(getSome, batch, [BYTES_PER_COMMAND])
      ) as readonly (Buffer | null)[]
      for (const [i, stored] of values.entries()) if (stored !== null) found.set(batch[i] as string, stored)
      if (values.length < batch.length) waiting.unshift(batch.slice(values.length))
    }
  }
  await Promise.all(Array.from({ length: Math.min(waiting.length, READING_LANES) }, lane))
  return found
}

function entryOf(stored: Buffer): KeyValueEntry {
  const { record, state } = fromStored(stored)
  return { value: record, state }
}

function recordArguments({ state, ttlMs, value }: StateWrite): RedisArgument[] {
  return [binary(toStored(value, state)), state, ttlArgument(ttlMs)]
}

/** The owner of bytes may use them again before they have left. */
function binary(value: string | Uint8Array): string | Uint8Array {
  return typeof value === 'string' ? value : Uint8Array.from(value)
}

function* inBatches<T>(items: readonly T[], sizeOf: (item: T) => number): Iterable<readonly T[]> {
  let batch: T[] = []
  let size = 0
  for (const item of items) {
    const itemSize = sizeOf(item)
    if (batch.length === KEYS_PER_COMMAND || (batch.length > 0 && size + itemSize > BYTES_PER_COMMAND)) {
      yield batch
      batch = []
      size = 0
    }
    batch.push(item)
    size += itemSize
  }
  if (batch.length > 0) yield batch
}
