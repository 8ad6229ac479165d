import type { Random } from '@celery/protocol/testkit'
import { parseJson } from '@celery/serialization'
import { type RedisServer, startRedis } from '@celery/test-servers'
import { Redis } from 'ioredis'
import type { Case } from '../cases.ts'
import { readCopy } from './dead-copy.ts'
import type { DeadLetters, FuzzBroker, QueueContents, StoredRecord } from './fuzz-broker.ts'
import { leaveBehind, writeHostileKeys } from './hostile-keys.ts'

/** A private Redis. What lies there is read and written past the transport, as any other client of the server can. */
export async function openRedisFuzzBroker(): Promise<FuzzBroker> {
  const server = await startRedis()
  return new RedisFuzzBroker(server, new Redis(server.url))
}

class RedisFuzzBroker implements FuzzBroker {
  readonly url: string
  readonly #redis: Redis
  readonly #server: RedisServer
  /** Tags by payload, for only the payload comes back. Different cases may have the same one. */
  readonly #tags = new Map<string, string[]>()

  constructor(server: RedisServer, redis: Redis) {
    this.url = server.url
    this.#server = server
    this.#redis = redis
  }

  async put(cases: readonly Case[]): Promise<void> {
    const pipeline = this.#redis.pipeline()
    for (const { tag, payload, priority } of cases) {
      const bytes = Buffer.from(payload)
      const key = bytes.toString('latin1')
      this.#tags.set(key, [...(this.#tags.get(key) ?? []), tag])
      const step = Math.floor(priority / 3) * 3
      pipeline.lpush(step === 0 ? 'celery' : `celery\u0006\u0016${step}`, bytes)
    }
    await pipeline.exec()
  }

  async prepare(): Promise<readonly string[]> {
    return [await leaveBehind(this.#redis)]
  }

  disturb(random: Random, round: number): Promise<readonly string[]> {
    return writeHostileKeys(this.#redis, random, round)
  }

  async contents(): Promise<QueueContents> {
    const delayed = new Set<string>()
    const left = new Set<string>()
    const add = (tags: Set<string>, payload: string): void => {
      for (const tag of this.#tags.get(payload) ?? []) tags.add(tag)
    }
    for (const step of ['', '\u0006\u00163', '\u0006\u00166', '\u0006\u00169']) {
      for (const item of await this.#redis.lrangeBuffer(`celery${step}`, 0, -1)) {
        const payload = item.toString('latin1')
        if (this.#tags.has(payload)) add(left, payload)
        else left.add(`another hand's: ${payload.slice(0, 100)}`)
      }
    }
    const parked = new Set(await this.#redis.zrange('_celery.eta', '0', '-1'))
    for (const [tag, entry] of Object.entries(await this.#redis.hgetallBuffer('unacked'))) {
      const payload = payloadOf(entry)
      if (payload !== undefined) add(parked.has(tag) ? delayed : left, payload)
    }
    return { delayed, left }
  }

  async takeDeadLetters(): Promise<DeadLetters> {
    const reasons = new Map<string, string>()
    let count = 0
    for (;;) {
      const item = await this.#redis.rpopBuffer('celery.dead')
      if (item === null) return { count, reasons }
      count++
      const { payload, reason: deadReason } = readWrapper(item)
      const { id, reason = deadReason } = readCopy(Buffer.from(payload, 'latin1'))
      for (const tag of this.#tags.get(payload) ?? []) reasons.set(tag, reason)
      if (id !== undefined) reasons.set(id, reason)
    }
  }

  async records(ids: readonly string[]): Promise<ReadonlyMap<string, StoredRecord>> {
    const records = new Map<string, StoredRecord>()
    if (ids.length === 0) return records
    const texts = await this.#redis.mget(ids.map((id) => `celery-task-meta-${id}`))
    for (const [index, text] of texts.entries()) {
      if (text === null) continue
      const { status } = parseJson(text) as { readonly status: string }
      records.set(ids[index] as string, { state: status, text })
    }
    return records
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#redis.disconnect()
    await this.#server.close()
  }
}

/** The envelope stands in it as it is, whatever it is; `undefined` where another hand wrote the entry. */
function payloadOf(unacked: Buffer): string | undefined {
  return /^\[(.*), "", "[^"]*"\]$/s.exec(unacked.toString('latin1'))?.[1]
}

function readWrapper(item: Buffer): { payload: string; reason: string } {
  const text = item.toString('latin1')
  const [, reason = 'null', payload = ''] =
    /^\{"at":\d+,"reason":(null|"(?:[^"\\]|\\.)*"),"payload":(.*)\}$/s.exec(text) ?? []
  return { payload, reason: (JSON.parse(reason) as string | null) ?? '' }
}
