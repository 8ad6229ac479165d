import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { QueuedMessage, StoredState } from '../check/evidence.ts'
import { readRecord } from '../check/read-record.ts'
import type { Topology } from '../setup.ts'
import { type RedisSite, startSite } from './redis-site.ts'
import { RedisView } from './redis-view.ts'
import type { Addresses, Cut, CutTimes, Network, Place, PlannedCut, Testbed } from './testbed.ts'
import { type Trigger, Way } from './way.ts'

/** Milliseconds for which nothing passes on a connection that is then cut, at most. */
const swallowMs = 1_000
/** Milliseconds to wait for an answer on which to cut. */
const strikeWaitMs = 2_000

/** What every envelope holds. */
const envelopeMark = '"content-type"'

const triggers: Readonly<Partial<Record<Cut, Trigger>>> = {
  reply: {},
  delivery: { reply: envelopeMark },
  publish: { request: envelopeMark },
}

/** Private servers of Redis, which hold the results as well. */
export async function openRedisTestbed(options: {
  readonly topology: Topology
  readonly workers: number
  readonly random: () => number
}): Promise<Testbed> {
  const site = await startSite(options.topology)
  const ways = new Map<Place, Way>()
  if (site.url === undefined) {
    const workers = Array.from({ length: options.workers }, (_, index): Place => `worker-${index}`)
    for (const place of ['client', ...workers] as const) ways.set(place, await Way.open(() => site.primary.port))
  }
  return new RedisTestbed(site, ways, options.random)
}

class RedisTestbed implements Testbed, Network {
  readonly shares: Testbed['shares']
  readonly #site: RedisSite
  readonly #ways: ReadonlyMap<Place, Way>
  readonly #random: () => number
  #redis: Redis

  constructor(site: RedisSite, ways: ReadonlyMap<Place, Way>, random: () => number) {
    this.#site = site
    this.#ways = ways
    this.#random = random
    this.#redis = connectTo(site)
    this.shares = ways.size === 0 ? sharesWithoutWays : sharesWithWays
  }

  get network(): Network {
    return this
  }

  addresses(place: Place): Addresses {
    const url =
      this.#site.url ?? (place === 'python' ? this.#site.primary.url : `redis://127.0.0.1:${this.#way(place).port}/0`)
    const { options } = this.#site
    return { broker: url, results: url, ...(options === undefined ? {} : { options }) }
  }

  heldBy(sessions: readonly string[]): Promise<string[]> {
    return this.#view().heldBy(sessions)
  }

  messages(): Promise<QueuedMessage[]> {
    return this.#view().messages()
  }

  /** No client of Redis keeps others from working. */
  async isWritable(): Promise<boolean> {
    return true
  }

  async results(tasks: Iterable<string>): Promise<Map<string, StoredState>> {
    const ids = [...tasks]
    const states = new Map<string, StoredState>()
    for (let begin = 0; begin < ids.length; begin += mostKeys) {
      const part = ids.slice(begin, begin + mostKeys)
      const records = await this.#redis.mget(part.map((task) => this.#resultKey(task)))
      for (const [index, record] of records.entries()) {
        if (record !== null) states.set(part[index] as string, readRecord(record))
      }
    }
    return states
  }

  integrity(): Promise<string[]> {
    return this.#view().problems()
  }

  async overwriteResult(task: string, record: string): Promise<void> {
    await this.#redis.set(this.#resultKey(task), record)
  }

  async copyHeld(task: string): Promise<void> {
    const held = await this.#view().held(task)
    if (held !== undefined) await this.#redis.lpush(this.#site.prefix + held.queue, held.payload)
  }

  async dropHeld(task: string): Promise<void> {
    const held = await this.#view().held(task)
    if (held === undefined) return
    const { prefix } = this.#site
    await this.#redis.multi().hdel(`${prefix}unacked`, held.tag).zrem(`${prefix}unacked_index`, held.tag).exec()
  }

  async crash(downMs: number, look: () => Promise<void>): Promise<number> {
    for (const way of this.#ways.values()) way.shut()
    await this.#site.crash(downMs, look)
    for (const way of this.#ways.values()) way.drop(false)
    this.#redis.disconnect()
    this.#redis = connectTo(this.#site)
    const time = Date.now()
    for (const way of this.#ways.values()) way.open()
    return time
  }

  async cut(place: Place, { how, all }: PlannedCut, look: () => Promise<void>): Promise<CutTimes | undefined> {
    const way = this.#way(place)
    if (way.connections === 0) return undefined
    const trigger = triggers[how]
    if (trigger === undefined) way.shut()
    else if (!(await way.strikeOn(trigger, strikeWaitMs))) return undefined
    const time = Date.now()
    if (how === 'swallow') await sleep(this.#random() * swallowMs)
    await look()
    if (all) way.drop(how === 'reset')
    else way.dropStruck()
    const endTime = Date.now()
    way.open()
    return { time, endTime }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#redis.disconnect()
    await Promise.all([...this.#ways.values()].map((way) => way[Symbol.asyncDispose]()))
    await this.#site[Symbol.asyncDispose]()
  }

  #view(): RedisView {
    return new RedisView(this.#redis, this.#site.prefix)
  }

  #resultKey(task: string): string {
    const { prefix } = this.#site
    return `${prefix}${prefix === '' ? '' : '_'}celery-task-meta-${task}`
  }

  #way(place: Place): Way {
    const way = this.#ways.get(place)
    if (way === undefined) throw new Error(`there is no way for ${place}`)
    return way
  }
}

/** Asked for in one command. */
const mostKeys = 1_000

/** Past the ways. It waits while the server is away. */
function connectTo({ primary }: RedisSite): Redis {
  const redis = new Redis({
    host: primary.host,
    port: primary.port,
    maxRetriesPerRequest: null,
    retryStrategy: () => 20,
  })
  redis.on('error', () => {})
  return redis
}

const sharesWithWays = [
  ['child', 0.4],
  ['worker', 0.2],
  ['broker', 0.2],
  ['connection', 0.2],
  ['pause', 0.1],
  ['client', 0.1],
] as const

/** Clients ask for the address of the primary, so that nobody stands in their way to it. */
const sharesWithoutWays = [
  ['child', 0.4],
  ['worker', 0.2],
  ['broker', 0.2],
  ['pause', 0.1],
  ['client', 0.1],
] as const
