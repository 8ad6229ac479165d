import type { RedisClient } from '@celery/redis'
import type { DeliveryRef, SettleResult } from '@celery/transport'
import { type Keys, parseTag } from './keys.ts'
import type { Queues } from './queues.ts'
import { replyList, replyNumber, replyTexts } from './reply.ts'
import { cameWith, type Session } from './session.ts'
import { closeSentScript, forgetScript, giveBackScript, renewScript } from './session-scripts.ts'
import { type TakeoverOptions, takeOver } from './takeover.ts'

export interface SessionHoldsOptions extends Omit<TakeoverOptions, 'session'> {
  readonly session: Session
  /** `<session>.<any>` */
  readonly connection: string
}

/** What a session holds in the server, over whichever connection: its lease, what was lost on the way, and its end. */
export class SessionHolds {
  readonly #client: RedisClient
  readonly #keys: Keys
  readonly #session: Session
  readonly #connection: string
  readonly #takeover: TakeoverOptions
  #takingOver: Promise<void> | undefined

  constructor(client: RedisClient, keys: Keys, options: SessionHoldsOptions) {
    const { connection, graceMs, leaseMs, session } = options
    this.#client = client
    this.#keys = keys
    this.#session = session
    this.#connection = connection
    this.#takeover = { leaseMs, graceMs, session: session.id }
  }

  /**
   * Begins where earlier connections of the session have left off. What the server holds for it and nobody here works on is
   * given back: such deliveries were dropped while the session was at another broker, and it would renew them for ever.
   */
  async takeUp(): Promise<void> {
    await this.recover()
    // Keys of another type must show before anything has left its list.
    const replies = await this.#client.pipeline([
      ['HLEN', this.#keys.unacked],
      ['ZCARD', this.#keys.index],
      ['SMEMBERS', this.#keys.held(this.#session.id)],
    ])
    for (const reply of replies) if (reply instanceof Error) throw reply
    await this.#giveBack(replyTexts(replies[2]).filter((tag) => !this.#session.knows(tag)))
  }

  /** Gives back what was delivered to earlier connections of the session and never arrived. */
  async recover(): Promise<void> {
    const lost = this.#session.takeLost()
    if (lost.length === 0) return
    try {
      // From here on those connections take nothing more, not even by a command that is still on its way.
      for (const name of new Set(lost.map((fetch) => fetch.connection))) {
        await this.#client.script(closeSentScript, [this.#keys.put(name), this.#keys.settled(name)])
      }
      const held = replyTexts(await this.#client.send('SMEMBERS', this.#keys.held(this.#session.id)))
      await this.#giveBack(held.filter((tag) => lost.some((fetch) => cameWith(fetch, tag))))
    } catch (error) {
      for (const fetch of lost) this.#session.lost(fetch)
      throw error
    }
  }

  /** Which of these deliveries are still held; renews the leases that they are held under. */
  async renew(deliveries: readonly DeliveryRef[]): Promise<readonly SettleResult[]> {
    if (deliveries.length === 0) return []
    const checks = deliveries.map(({ tag }) => ['HEXISTS', this.#keys.unacked, tag] as const)
    const replies = await this.#client.pipeline(checks)
    const results = replies.map((reply): SettleResult => {
      if (reply instanceof Error) throw reply
      return reply === 1 ? 'done' : 'stale'
    })
    // A lease belongs to the session: renewing one delivery renews all that it holds.
    const held = deliveries.filter((_, index) => results[index] === 'done')
    for (const [index, { tag }] of deliveries.entries()) if (results[index] === 'stale') this.#session.held.delete(tag)
    const sessions = new Set(held.map(({ tag }) => parseTag(tag)?.session))
    for (const session of sessions) if (session !== undefined) await this.#renew(session)
    return results
  }

  /** For connections without a lease keeper, which would renew sooner. */
  async renewOwn(): Promise<void> {
    if (this.#session.held.size === 0 && !this.#session.hasQueues) return
    await this.#renew(this.#session.id)
  }

  /** Puts back what owners held whose leases have ended. Several fetches may find at once that there is something to take over. */
  takeOver(): Promise<void> {
    this.#takingOver ??= takeOver(this.#client, this.#keys, this.#takeover)
      .catch((error: unknown) => {
        this.#session.failedTakingOver = true
        throw error
      })
      .finally(() => {
        this.#takingOver = undefined
      })
    return this.#takingOver
  }

  /** Gives back all that it holds, and forgets it. */
  async end(queues: Queues): Promise<void> {
    const { prefix, separator, owners } = this.#keys
    const { id } = this.#session
    await this.recover()
    await this.#giveBack(replyTexts(await this.#client.send('SMEMBERS', this.#keys.held(id))))
    await queues.leave(id)
    const keys = [owners, this.#keys.held(id), this.#keys.exclusive(id)]
    await this.#client.script(forgetScript, keys, [prefix, separator, id, 1])
    // Nobody is left who could ask.
    await this.#client.send('DEL', this.#keys.put(this.#connection), this.#keys.settled(this.#connection))
  }

  /** Gives deliveries of this session back as they are. */
  async #giveBack(tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return
    const { prefix, separator, unacked, index } = this.#keys
    const inOrder = [...tags].sort((a, b) => (parseTag(a)?.count ?? 0) - (parseTag(b)?.count ?? 0))
    await this.#client.script(giveBackScript, [unacked, index], [prefix, separator, ...inOrder])
  }

  async #renew(session: string): Promise<void> {
    const { prefix, separator, owners, renewed, index } = this.#keys
    const { leaseMs, graceMs } = this.#takeover
    const reply = await this.#client.script(
      renewScript,
      [owners, renewed, this.#keys.held(session), index],
      [prefix, separator, session, leaseMs, graceMs],
    )
    const [, gone] = replyList(reply)
    if (replyNumber(gone) > 0) await this.takeOver()
  }
}
