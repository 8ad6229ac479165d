import type { RedisClient } from '@celery/redis'
import type { Binding, ExchangeDeclaration, QueueDeclaration, QueueInfo } from '@celery/transport'
import { kombuTopicExpression } from '@celery/transport/virtual'
import { type Keys, parseTag } from './keys.ts'
import {
  declareQueueScript,
  deleteParkedScript,
  deleteQueueScript,
  letInScript,
  purgeScript,
  touchScript,
  unusedScript,
} from './queue-scripts.ts'
import { replyList, replyNumber, replyText, replyTexts } from './reply.ts'

/** What a queue is that is not a plain one; kept in the server, for whoever uses it. */
export type QueueTraits = Pick<QueueDeclaration, 'autoDelete' | 'exclusive' | 'expiresMs' | 'messageTtlMs'>

/**
 * Exchanges, queues and bindings. Bindings are where Python looks for them; declarations, which Python keeps in its own
 * memory, are where it does not look.
 */
export class Topology {
  readonly #client: RedisClient
  readonly #keys: Keys

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client
    this.#keys = keys
  }

  async declareExchange({ name, type, durable, autoDelete }: ExchangeDeclaration): Promise<void> {
    await this.#letIn('HSETNX', this.#keys.exchanges, name, JSON.stringify({ name, type, durable, autoDelete }))
  }

  async deleteExchange(name: string): Promise<void> {
    const replies = await this.#client.pipeline([
      ['HDEL', this.#keys.exchanges, name],
      ['DEL', this.#keys.binding(name)],
    ])
    throwFirst(replies)
  }

  async exchange(name: string): Promise<ExchangeDeclaration | undefined> {
    return readExchange(name, await this.#client.send('HGET', this.#keys.exchanges, name))
  }

  async bind({ queue, exchange, routingKey }: Binding): Promise<void> {
    const { binding, separator } = { binding: this.#keys.binding(exchange), separator: this.#keys.separator }
    const declaration = await this.exchange(exchange)
    const pattern = declaration?.type === 'topic' ? kombuTopicExpression(routingKey) : ''
    await this.#letIn('SADD', binding, [routingKey, pattern, queue].join(separator))
  }

  async unbind({ queue, exchange, routingKey }: Binding): Promise<void> {
    const { separator } = this.#keys
    const pattern = kombuTopicExpression(routingKey)
    const entries = ['', pattern].map((middle) => [routingKey, middle, queue].join(separator))
    await this.#client.send('SREM', this.#keys.binding(exchange), ...entries)
  }

  /** Passes over what is no binding: the set is open to everybody. */
  async bindings(exchange: string): Promise<readonly Binding[]> {
    const [unused, entries] = await this.#client.pipeline([
      ['EXISTS', this.#keys.used],
      ['SMEMBERS', this.#keys.binding(exchange)],
    ])
    if (unused instanceof Error) throw unused
    if (entries instanceof Error) throw entries
    if (replyNumber(unused) > 0 && (await this.deleteUnused())) {
      return this.#read(exchange, await this.#client.send('SMEMBERS', this.#keys.binding(exchange)))
    }
    return this.#read(exchange, entries)
  }

  async declareQueue(queue: QueueDeclaration, session: string): Promise<QueueInfo> {
    const { name, autoDelete, exclusive, expiresMs, messageTtlMs } = queue
    await this.deleteUnused()
    const traits: QueueTraits = {
      ...(autoDelete === true ? { autoDelete } : {}),
      ...(exclusive === true ? { exclusive } : {}),
      ...(expiresMs === undefined ? {} : { expiresMs }),
      ...(messageTtlMs === undefined ? {} : { messageTtlMs }),
    }
    const isPlain = Object.keys(traits).length === 0
    const { prefix, separator, owners, delayed, queues, used, unacked, index, eta } = this.#keys
    if (exclusive === true) await this.#letIn('SADD', this.#keys.exclusive(session), name)
    const reply = await this.#client.script(
      declareQueueScript,
      [owners, delayed, queues, used, unacked, index, eta, ...this.#keys.lists(name)],
      [prefix, separator, name, isPlain ? '' : JSON.stringify(traits), expiresMs ?? ''],
    )
    const [ready, delayedCount, held] = replyList(reply).map(replyNumber)
    return { name, ready: ready ?? 0, delayed: delayedCount ?? 0, held: held ?? 0 }
  }

  /** What queues are, as far as they are more than plain ones. */
  async traits(names: readonly string[]): Promise<readonly (QueueTraits | undefined)[]> {
    const replies = replyList(await this.#client.send('HMGET', this.#keys.queues, ...names))
    return replies.map((reply) => (typeof reply === 'string' ? readTraits(reply) : undefined))
  }

  /** A queue that goes away without use was used. */
  async touch(name: string, expiresMs: number): Promise<void> {
    const { prefix, separator, used } = this.#keys
    await this.#client.script(touchScript, [used], [prefix, separator, name, expiresMs])
  }

  /** Notes that a session fetches from a queue that goes away with the last one that does. */
  async addConsumer(name: string, session: string): Promise<void> {
    await this.#letIn('SADD', this.#keys.consumers(name), session)
  }

  async deleteQueue(name: string, onlyIfUnused = false): Promise<number> {
    const { prefix, separator, owners, unacked, index, queues, used, delayed, exchanges } = this.#keys
    const parked = replyNumber((await this.#client.send('HGET', delayed, name)) ?? 0)
    const ready = await this.#client.script(
      deleteQueueScript,
      [owners, unacked, index, queues, used, delayed, exchanges, ...this.#keys.lists(name)],
      [prefix, separator, name, onlyIfUnused ? 1 : 0],
    )
    if (parked > 0) await this.#deleteParked(name)
    return replyNumber(ready)
  }

  async purge(name: string): Promise<number> {
    return replyNumber(await this.#client.script(purgeScript, this.#keys.lists(name)))
  }

  /** Removes queues that nobody has used for their time; says whether there were any. */
  async deleteUnused(): Promise<boolean> {
    const names = replyTexts(await this.#client.script(unusedScript, [this.#keys.used]))
    for (const name of names) await this.deleteQueue(name, true)
    return names.length > 0
  }

  /** A session ends: so do its exclusive queues, and those of which it was the last consumer. */
  async leave(session: string): Promise<void> {
    for (const name of replyTexts(await this.#client.send('SMEMBERS', this.#keys.exclusive(session)))) {
      await this.deleteQueue(name)
    }
    for (const [name, traits] of readAllTraits(await this.#client.send('HGETALL', this.#keys.queues))) {
      if (traits.autoDelete !== true) continue
      const consumers = this.#keys.consumers(name)
      const [removed, left] = await this.#client.pipeline([
        ['SREM', consumers, session],
        ['SCARD', consumers],
      ])
      if (removed === 1 && left === 0) await this.deleteQueue(name)
    }
  }

  async #letIn(command: string, key: string, ...args: string[]): Promise<void> {
    await this.#client.script(letInScript, [this.#keys.owners, key], [command, ...args])
  }

  /** In portions: there may be millions. */
  async #deleteParked(name: string): Promise<void> {
    const { prefix, separator, unacked, index, eta, delayed } = this.#keys
    let cursor = '0'
    do {
      const [next, entries] = replyList(await this.#client.send('ZSCAN', eta, cursor, 'COUNT', 1_000))
      cursor = replyText(next)
      const tags = replyTexts(entries).filter((entry, at) => at % 2 === 0 && parseTag(entry)?.queue === name)
      if (tags.length > 0) {
        const keys = [unacked, index, eta, delayed]
        await this.#client.script(deleteParkedScript, keys, [prefix, separator, name, ...tags])
      }
    } while (cursor !== '0')
  }

  #read(exchange: string, entries: unknown): readonly Binding[] {
    return replyTexts(entries).flatMap((entry) => {
      const [routingKey, , queue, more] = entry.split(this.#keys.separator)
      return routingKey === undefined || queue === undefined || queue === '' || more !== undefined
        ? []
        : [{ exchange, queue, routingKey }]
    })
  }
}

function readExchange(name: string, reply: unknown): ExchangeDeclaration | undefined {
  const value = typeof reply === 'string' ? parseObject(reply) : undefined
  const type = value?.['type']
  if (type !== 'direct' && type !== 'topic' && type !== 'fanout' && type !== 'headers') return undefined
  return { name, type }
}

function readTraits(text: string): QueueTraits | undefined {
  const value = parseObject(text)
  if (value === undefined) return undefined
  const { autoDelete, exclusive, expiresMs, messageTtlMs } = value
  return {
    ...(autoDelete === true ? { autoDelete } : {}),
    ...(exclusive === true ? { exclusive } : {}),
    ...(typeof expiresMs === 'number' ? { expiresMs } : {}),
    ...(typeof messageTtlMs === 'number' ? { messageTtlMs } : {}),
  }
}

function readAllTraits(reply: unknown): [string, QueueTraits][] {
  // RESP3 answers with a map, which the client hands on as an object or as a flat list.
  const entries = Array.isArray(reply)
    ? replyTexts(reply).flatMap((name, at, all) => (at % 2 === 0 ? [[name, all[at + 1] ?? ''] as const] : []))
    : Object.entries(typeof reply === 'object' && reply !== null ? reply : {})
  return entries.flatMap(([name, text]) => {
    const traits = typeof text === 'string' ? readTraits(text) : undefined
    return traits === undefined ? [] : [[name, traits]]
  })
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function throwFirst(replies: readonly unknown[]): void {
  for (const reply of replies) if (reply instanceof Error) throw reply
}
