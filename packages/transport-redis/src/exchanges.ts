import type { RedisClient } from '@celery/redis'
import type { Binding, ExchangeDeclaration } from '@celery/transport'
import { kombuTopicExpression } from '@celery/transport/virtual'
import type { Keys } from './keys.ts'
import { parseObject } from './parse-object.ts'
import { letInScript } from './queue-scripts.ts'
import { replyNumber, replyTexts } from './reply.ts'

/**
 * Exchanges and bindings. Bindings are where Python looks for them; declarations, which Python keeps in its own memory, are
 * where it does not look.
 */
export class Exchanges {
  readonly #client: RedisClient
  readonly #keys: Keys

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client
    this.#keys = keys
  }

  async declare({ name, type, durable, autoDelete }: ExchangeDeclaration): Promise<void> {
    await this.#letIn('HSETNX', this.#keys.exchanges, name, JSON.stringify({ name, type, durable, autoDelete }))
  }

  async delete(name: string): Promise<void> {
    const replies = await this.#client.pipeline([
      ['HDEL', this.#keys.exchanges, name],
      ['DEL', this.#keys.binding(name)],
    ])
    throwFirst(replies)
  }

  async get(name: string): Promise<ExchangeDeclaration | undefined> {
    return readExchange(name, await this.#client.send('HGET', this.#keys.exchanges, name))
  }

  async bind({ queue, exchange, routingKey }: Binding): Promise<void> {
    const { binding, separator } = { binding: this.#keys.binding(exchange), separator: this.#keys.separator }
    const declaration = await this.get(exchange)
    const pattern = declaration?.type === 'topic' ? kombuTopicExpression(routingKey) : ''
    await this.#letIn('SADD', binding, [routingKey, pattern, queue].join(separator))
  }

  async unbind({ queue, exchange, routingKey }: Binding): Promise<void> {
    const { separator } = this.#keys
    const pattern = kombuTopicExpression(routingKey)
    const entries = ['', pattern].map((middle) => [routingKey, middle, queue].join(separator))
    await this.#client.send('SREM', this.#keys.binding(exchange), ...entries)
  }

  /**
   * Passes over what is no binding: the set is open to everybody.
   * @param deleteUnused - Removes queues that go away without use, and with them their bindings; says whether there were any.
   */
  async bindings(exchange: string, deleteUnused: () => Promise<boolean>): Promise<readonly Binding[]> {
    const [unused, entries] = await this.#client.pipeline([
      ['EXISTS', this.#keys.used],
      ['SMEMBERS', this.#keys.binding(exchange)],
    ])
    if (unused instanceof Error) throw unused
    if (entries instanceof Error) throw entries
    if (replyNumber(unused) > 0 && (await deleteUnused())) {
      return this.#read(exchange, await this.#client.send('SMEMBERS', this.#keys.binding(exchange)))
    }
    return this.#read(exchange, entries)
  }

  #read(exchange: string, entries: unknown): readonly Binding[] {
    return replyTexts(entries).flatMap((entry) => {
      const [routingKey, , queue, more] = entry.split(this.#keys.separator)
      return routingKey === undefined || queue === undefined || queue === '' || more !== undefined
        ? []
        : [{ exchange, queue, routingKey }]
    })
  }

  async #letIn(command: string, key: string, ...args: string[]): Promise<void> {
    await this.#client.script(letInScript, [this.#keys.owners, key], [command, ...args])
  }
}

function readExchange(name: string, reply: unknown): ExchangeDeclaration | undefined {
  const value = typeof reply === 'string' ? parseObject(reply) : undefined
  const type = value?.['type']
  if (type !== 'direct' && type !== 'topic' && type !== 'fanout' && type !== 'headers') return undefined
  return { name, type }
}

function throwFirst(replies: readonly unknown[]): void {
  for (const reply of replies) if (reply instanceof Error) throw reply
}
