import { READY_STATES } from '@celery/protocol'
import { fromStored } from './stored-record.ts'

/**
 * Final records that came with the news of them, for whoever reads their keys in the same turn of the event loop: what was
 * published is what stands in the store. Later the store has to be asked.
 */
export class PublishedValues {
  readonly #values = new Map<string, Buffer>()
  #clearing: NodeJS.Immediate | undefined

  add(key: string, value: Buffer): void {
    if (!isRandom(key) || !READY_STATES.has(fromStored(value).state ?? '')) return
    this.#values.set(key, value)
    this.#clearing ??= setImmediate(() => {
      this.#clearing = undefined
      this.#values.clear()
    })
  }

  get(key: string): Buffer | undefined {
    return this.#values.get(key)
  }

  /** They are changed from here. */
  delete(keys: Iterable<string>): void {
    for (const key of keys) this.#values.delete(key)
  }
}

/**
 * All databases of a server share its channels, so that what is published under a name that somebody has thought of may be
 * another database's. Ids of Celery's own making, UUIDs of version 4, happen once.
 */
function isRandom(key: string): boolean {
  return /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(key)
}
