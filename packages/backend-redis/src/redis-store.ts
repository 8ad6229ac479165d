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
import { type ChordLayout, RedisChordCounter } from './redis-chord-counter.ts'
import { RedisLink } from './redis-link.ts'
import { STORE_RECORD, setValues, storeRecords } from './store-record.ts'
import { fromStored, toStored } from './stored-record.ts'
import { ttlArgument } from './ttl-argument.ts'

/** Of one command: whoever else uses the server gets a turn after some milliseconds. */
const KEYS_PER_COMMAND = 250
const BYTES_PER_COMMAND = 4 * 1024 * 1024

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
    })
  }

  async getMany(keys: readonly string[], options?: AbortableOptions): Promise<ReadonlyMap<string, KeyValueEntry>> {
    const entries = new Map<string, KeyValueEntry>()
    const read = async (client: RedisClient, batch: readonly string[]): Promise<void> => {
      const values = (await client.sendBuffer('MGET', ...batch)) as readonly (Buffer | null)[]
      for (const [i, stored] of values.entries()) {
        if (stored === null) continue
        const { record, state } = fromStored(stored)
        entries.set(batch[i] as string, { value: record, state })
      }
    }
    const batches = [...inBatches(keys, () => 0)]
    await this.#link.run((client) => Promise.all(batches.map((batch) => read(client, batch))), options)
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
