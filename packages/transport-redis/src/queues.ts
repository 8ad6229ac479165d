import type { RedisClient } from '@celery/redis'
import type { QueueDeclaration, QueueInfo } from '@celery/transport'
import { deleteParked } from './delete-parked.ts'
import type { Keys } from './keys.ts'
import {
  declareQueueScript,
  deleteQueueScript,
  joinScript,
  purgeScript,
  touchScript,
  unusedScript,
  useScript,
} from './queue-scripts.ts'
import { type QueueTraits, readAllTraits, readTraits, traitsOf } from './queue-traits.ts'
import { replyList, replyNumber, replyTexts } from './reply.ts'

/** With whom a queue ends; gone when its lease has ended. */
export interface QueueOwner {
  readonly session: string
  readonly leaseMs: number
}

/** In which case a queue is to be removed, where not in any. */
export type DeleteIf = { readonly unusedMs: number } | { readonly exclusiveTo: string }

/** Queues: what they are beyond plain ones, which Python does not know of, is kept where it does not look. */
export class Queues {
  readonly #client: RedisClient
  readonly #keys: Keys

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client
    this.#keys = keys
  }

  async declare(queue: QueueDeclaration, owner: QueueOwner): Promise<QueueInfo> {
    const { name, exclusive } = queue
    await this.deleteUnused()
    const traits = traitsOf(queue)
    const isPlain = Object.keys(traits).length === 0
    const { prefix, separator, owners, delayed, queues, used, unacked, index, eta } = this.#keys
    const reply = await this.#client.script(
      declareQueueScript,
      [owners, delayed, queues, used, unacked, index, eta, ...this.#keys.lists(name)],
      [
        ...[prefix, separator, name, isPlain ? '' : JSON.stringify(traits), traits.expiresMs ?? ''],
        ...[exclusive === true ? owner.session : '', owner.leaseMs],
      ],
    )
    const [ready, delayedCount, held] = replyList(reply).map(replyNumber)
    return { name, ready: ready ?? 0, delayed: delayedCount ?? 0, held: held ?? 0 }
  }

  /** What queues are, as far as they are more than plain ones. */
  async traits(names: readonly string[]): Promise<readonly (QueueTraits | undefined)[]> {
    const replies = replyList(await this.#client.send('HMGET', this.#keys.queues, ...names))
    return replies.map((reply) => (typeof reply === 'string' ? readTraits(reply) : undefined))
  }

  /** Notes that a session fetches from a queue that goes away without use, as long as it is there. */
  async use(name: string, expiresMs: number, { leaseMs, session }: QueueOwner): Promise<void> {
    const { owners, used } = this.#keys
    const keys = [owners, used, this.#keys.consumers(name)]
    await this.#client.script(useScript, keys, [name, expiresMs, session, leaseMs])
  }

  /** Notes that a session fetches from a queue that goes away with the last one that does. */
  async addConsumer(name: string, { leaseMs, session }: QueueOwner): Promise<void> {
    await this.#client.script(joinScript, [this.#keys.owners, this.#keys.consumers(name)], [session, leaseMs])
  }

  async delete(name: string, only?: DeleteIf): Promise<number> {
    const { prefix, separator, owners, unacked, index, queues, used, delayed, exchanges } = this.#keys
    const parked = await this.#client.send('HGET', delayed, name)
    const reply = await this.#client.script(
      deleteQueueScript,
      [owners, unacked, index, queues, used, delayed, exchanges, ...this.#keys.lists(name)],
      [prefix, separator, name, ...conditionOf(only)],
    )
    const ready = replyNumber(reply)
    if (ready < 0) return 0
    if (parked !== null) await deleteParked(this.#client, this.#keys, name)
    return ready
  }

  async purge(name: string): Promise<number> {
    return replyNumber(await this.#client.script(purgeScript, this.#keys.lists(name)))
  }

  /** Removes queues that nobody has used for their time; says whether there were any. */
  async deleteUnused(): Promise<boolean> {
    const names = replyTexts(await this.#client.script(unusedScript, [this.#keys.used]))
    const traits = names.length === 0 ? [] : await this.traits(names)
    for (const [index, name] of names.entries()) {
      await this.delete(name, { unusedMs: traits[index]?.expiresMs ?? 0 })
    }
    return names.length > 0
  }

  /** A session ends: so do its exclusive queues, and those of which it was the last consumer. */
  async leave(session: string): Promise<void> {
    const exclusive = replyTexts(await this.#client.send('SMEMBERS', this.#keys.exclusive(session)))
    const declared = exclusive.length === 0 ? [] : await this.traits(exclusive)
    for (const [index, name] of exclusive.entries()) {
      // One that was there before may have been declared by others, to last.
      if (declared[index]?.exclusive === true) await this.delete(name, { exclusiveTo: session })
    }
    for (const [name, traits] of readAllTraits(await this.#client.send('HGETALL', this.#keys.queues))) {
      const { autoDelete, expiresMs } = traits
      if (autoDelete !== true && expiresMs === undefined) continue
      const consumers = this.#keys.consumers(name)
      const [removed, left] = await this.#client.pipeline([
        ['SREM', consumers, session],
        ['SCARD', consumers],
      ])
      if (removed !== 1) continue
      if (autoDelete === true && left === 0) await this.delete(name)
      // It was in use until now.
      else if (expiresMs !== undefined) await this.#client.script(touchScript, [this.#keys.used], [name, expiresMs])
    }
  }
}

function conditionOf(only: DeleteIf | undefined): readonly (string | number)[] {
  if (only === undefined) return ['', '']
  return 'unusedMs' in only ? ['unused', only.unusedMs] : ['exclusive', only.exclusiveTo]
}
