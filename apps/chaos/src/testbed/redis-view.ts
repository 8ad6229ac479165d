import type { Redis } from 'ioredis'
import type { QueuedMessage } from '../check/evidence.ts'

/**
 * Looks into the broker from outside. It reads the keys themselves, because the broker tells nobody what others hold, and a checker
 * should not have to believe it anyway.
 *
 * | key | type | what it says |
 * | --- | --- | --- |
 * | `<queue>`, `<queue>\x06\x16<step>` | list | messages that are ready |
 * | `<queue>.dead` | list | dead letters: `{at, reason, payload}` |
 * | `unacked` | hash | delivered and parked messages by tag: `[envelope, exchange, queue]` |
 * | `unacked_index` | sorted set | the same tags |
 * | `_celery.held.<session>` | set | the tags of one session |
 * | `_celery.eta` | sorted set | tags of messages that are parked |
 * | `_celery.owners`, `_celery.epoch` | sorted set, hash | sessions |
 */
export class RedisView {
  readonly #redis: Redis
  readonly #prefix: string

  /** @param prefix - Before every key. */
  constructor(redis: Redis, prefix: string) {
    this.#redis = redis
    this.#prefix = prefix
  }

  async heldBy(sessions: readonly string[]): Promise<string[]> {
    const held = await Promise.all(
      sessions.map((session) => this.#redis.smembers(this.#key(`_celery.held.${session}`))),
    )
    const tags = held.flat()
    if (tags.length === 0) return []
    const entries = await this.#redis.hmget(this.#key('unacked'), ...tags)
    return entries.flatMap((entry) => (entry === null ? [] : [readUnacked(entry).task]))
  }

  async messages(): Promise<QueuedMessage[]> {
    const messages: QueuedMessage[] = []
    for (const key of await this.#keys('*', 'list')) {
      for (const item of await this.#redis.lrange(key, '0', '-1')) {
        messages.push(key.endsWith('.dead') ? readDead(item) : { task: taskOf(JSON.parse(item)), place: 'ready' })
      }
    }
    const parked = new Set(await this.#redis.zrange(this.#key('_celery.eta'), '0', '-1'))
    for (const [tag, entry] of Object.entries(await this.#redis.hgetall(this.#key('unacked')))) {
      messages.push({ task: readUnacked(entry).task, place: parked.has(tag) ? 'delayed' : 'held' })
    }
    return messages
  }

  /** A delivered message and its queue. */
  async held(task: string): Promise<{ tag: string; payload: string; queue: string } | undefined> {
    for (const [tag, entry] of Object.entries(await this.#redis.hgetall(this.#key('unacked')))) {
      const { task: found, envelope, queue } = readUnacked(entry)
      if (found === task) return { tag, payload: JSON.stringify(envelope), queue }
    }
    return undefined
  }

  /** What does not fit together, or was left behind by those who have gone: nobody is to use the broker any more. */
  async problems(): Promise<string[]> {
    const problems: string[] = []
    const tags = new Set(await this.#redis.hkeys(this.#key('unacked')))
    const compare = (key: string, found: readonly string[], isComplete: boolean): void => {
      for (const tag of found) if (!tags.has(tag)) problems.push(`${key} names ${tag}, which is not in unacked`)
      if (!isComplete) return
      const known = new Set(found)
      for (const tag of tags) if (!known.has(tag)) problems.push(`${key} does not name ${tag}, which is in unacked`)
    }
    compare('unacked_index', await this.#redis.zrange(this.#key('unacked_index'), '0', '-1'), true)
    const parked = await this.#redis.zrange(this.#key('_celery.eta'), '0', '-1')
    compare('_celery.eta', parked, false)
    const owned = new Set(parked)
    for (const key of await this.#keys('_celery.held.*', 'set')) {
      const held = await this.#redis.smembers(key)
      compare(key, held, false)
      for (const tag of held) owned.add(tag)
    }
    // One of a Python worker is in nobody's set; those are still there only if it is.
    for (const tag of tags) if (!owned.has(tag)) problems.push(`nobody holds ${tag}, which is in unacked`)
    for (const key of ['_celery.owners', '_celery.epoch', '_celery.held.*']) {
      for (const name of await this.#keys(key)) problems.push(`${name} is left though everybody has gone`)
    }
    return problems
  }

  #key(name: string): string {
    return this.#prefix + name
  }

  async #keys(pattern: string, type?: string): Promise<string[]> {
    const keys = new Set<string>()
    for (let cursor = '0'; ; ) {
      const [next, found] =
        type === undefined
          ? await this.#redis.scan(cursor, 'MATCH', this.#key(pattern), 'COUNT', 1_000)
          : await this.#redis.scan(cursor, 'MATCH', this.#key(pattern), 'COUNT', 1_000, 'TYPE', type)
      for (const key of found) keys.add(key)
      if (next === '0') return [...keys].sort()
      cursor = next
    }
  }
}

function readUnacked(entry: string): { task: string; envelope: unknown; queue: string } {
  const [envelope, _exchange, queue] = JSON.parse(entry) as [unknown, string, string]
  return { task: taskOf(envelope), envelope, queue }
}

function readDead(item: string): QueuedMessage {
  const { reason, payload } = JSON.parse(item) as { readonly reason?: unknown; readonly payload: unknown }
  return { task: taskOf(payload), place: 'dead', reason: String(reason) }
}

function taskOf(envelope: unknown): string {
  const { headers } = envelope as { readonly headers?: { readonly id?: unknown } }
  return String(headers?.id)
}
