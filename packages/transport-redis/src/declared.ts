import { randomUUID } from 'node:crypto'
import { type RedisClient, redisScript } from '@celery/redis'
import type { Keys } from './keys.ts'
import { replyText } from './reply.ts'
import { noteMark } from './warn-emptied.ts'

/**
 * What was declared over a connection, to be declared again where somebody has flushed the server. That shows by a mark in
 * the server, which is another one afterwards.
 */
export class Declared {
  readonly #client: RedisClient
  readonly #keys: Keys
  /** How to declare each again, in the order in which that goes. */
  readonly #entries = new Map<string, () => Promise<unknown>>()
  #mark: string | undefined
  #checking: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client
    this.#keys = keys
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** To be called before it is declared, so that a flush in between shows. */
  note(name: string, declare: () => Promise<unknown>): void {
    if (this.#entries.size >= maxEntries) return
    this.#entries.set(name, declare)
    if (this.#timer !== undefined || this.#isStopped) return
    this.#timer = setInterval(() => this.#tryToCheck(), checkEveryMs).unref()
    this.#tryToCheck()
  }

  forget(name: string): void {
    this.#entries.delete(name)
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  #tryToCheck(): void {
    this.#checking ??= this.#check()
      .catch(() => {
        // The connection is lost, or the server is full: the next check tells.
      })
      .finally(() => {
        this.#checking = undefined
      })
  }

  async #check(): Promise<void> {
    const mark = replyText(await this.#client.script(markScript, [this.#keys.mark], [randomUUID()]))
    noteMark(this.#client, this.#keys.mark, mark)
    if (this.#mark !== undefined && this.#mark !== mark) {
      for (const declare of [...this.#entries.values()]) await declare()
    }
    this.#mark = mark
  }
}

/** KEYS: mark. ARGV: another one, to be taken where there is none. Returns the one that stands there. */
const markScript = redisScript(`
local mark = redis.call('GET', KEYS[1])
if mark then return mark end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
`)

const checkEveryMs = 2_000
/** Whoever declares more than that has other means. */
const maxEntries = 10_000
