import { type Clock, type Deferred, deferred, systemClock } from '@celery/promises'
import type { DeliveryRef, SettleAction, SettleResult } from '@celery/transport'
import type { BodyCodec } from './codecs.ts'
import type { Connection } from './connection.ts'
import type { IncomingMessage } from './consumer.ts'
import { Message, type MessageOwner } from './message.ts'
import { answered } from './no-answer.ts'
import { Settler } from './settler.ts'

export interface HeldMessagesOptions {
  readonly connection: Connection
  readonly codec: BodyCodec
  readonly accept: ReadonlySet<string>
  readonly onError: (error: unknown) => void
  /** A message was settled or lost: there is room for another one. */
  readonly onRoom: () => void
  readonly clock: Clock | undefined
}

/** Messages between their delivery and their settlement: renews their leases, settles them, and knows how many there are. */
export class HeldMessages implements MessageOwner {
  readonly codec: BodyCodec
  readonly accept: ReadonlySet<string>
  readonly #options: HeldMessagesOptions
  readonly #clock: Clock
  readonly #settler: Settler<Deferred<boolean>>
  readonly #held = new Map<Message, DeliveryRef>()
  /** Being requeued: their place is to be theirs again before the next one is fetched. */
  #returning = 0
  #cancelRenewal: (() => void) | undefined
  #isRenewing = false
  #closed = false

  constructor(options: HeldMessagesOptions) {
    const { connection, clock, onError } = options
    this.codec = options.codec
    this.accept = options.accept
    this.#options = options
    this.#clock = clock ?? systemClock
    this.#settler = new Settler<Deferred<boolean>>({
      connection,
      clock,
      onError,
      onRefused: ({ about }, error) => {
        onError(error)
        about?.resolve(false)
      },
      onGivenUp: ({ about }) => about?.resolve(false),
    })
  }

  /** Messages that are neither settled nor lost, and those that are on their way back. */
  get size(): number {
    return this.#held.size + this.#returning
  }

  /** Takes charge of a delivery. */
  admit(incoming: IncomingMessage): Message {
    const { queue, tag, fence } = incoming.delivery
    const message = new Message(incoming, this)
    this.#held.set(message, { queue, tag, fence })
    this.#scheduleRenewal()
    return message
  }

  async settle(message: Message, action: SettleAction): Promise<boolean> {
    const delivery = this.#held.get(message)
    if (delivery === undefined || this.#closed) return false
    const answer = deferred<boolean>()
    this.#settler.add({ delivery, action }, (result) => answer.resolve(result === 'done'), answer)
    const isReturning = action.type === 'requeue'
    if (isReturning) this.#returning++
    this.#drop(message)
    const done = await answer.promise
    if (isReturning) {
      this.#returning--
      this.#options.onRoom()
    }
    return done
  }

  /** Gives messages back that nobody has looked at. */
  giveBack(messages: Iterable<Message>): void {
    for (const message of messages) {
      const delivery = this.#held.get(message)
      if (delivery === undefined) continue
      this.#settler.add({ delivery, action: { type: 'requeue', counted: false } })
      this.#drop(message)
    }
  }

  /** Whether a message is neither settled nor lost. */
  has(message: Message): boolean {
    return this.#held.has(message)
  }

  /** Asks the broker which of them are still ours, and drops the others: a new connection may be to another broker. */
  async check(): Promise<void> {
    const held = [...this.#held]
    const results = await this.#renewAll(held.map(([, delivery]) => delivery))
    held.forEach(([message, delivery], index) => {
      if (results[index] === 'stale' && this.#held.get(message) === delivery) this.#drop(message)
    })
  }

  /** The connection that delivered them is gone, and they are somebody else's by now or soon. */
  loseAll(): void {
    this.#held.clear()
    this.#cancelRenewal?.()
    this.#cancelRenewal = undefined
    this.#options.onRoom()
  }

  /** Gives back what is not settled, and waits for the broker to answer, so many milliseconds at most. Safe twice. */
  async close(graceMs: number): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      for (const [message, delivery] of this.#held) {
        this.#settler.add({ delivery, action: { type: 'requeue', counted: true } })
        this.#drop(message)
      }
    }
    await this.#settler.close(graceMs)
  }

  #drop(message: Message): void {
    this.#held.delete(message)
    if (this.#held.size === 0) {
      this.#cancelRenewal?.()
      this.#cancelRenewal = undefined
    }
    this.#options.onRoom()
  }

  /** Three times per lease, while there is anything to renew. */
  #scheduleRenewal(): void {
    if (this.#held.size === 0 || this.#isRenewing || this.#cancelRenewal !== undefined) return
    this.#cancelRenewal = this.#clock.schedule(this.#options.connection.leaseMs / 3, () => void this.#renew())
  }

  async #renew(): Promise<void> {
    this.#cancelRenewal = undefined
    this.#isRenewing = true
    await this.check()
    this.#isRenewing = false
    this.#scheduleRenewal()
  }

  async #renewAll(deliveries: readonly DeliveryRef[]): Promise<readonly SettleResult[]> {
    // Without a connection nothing can be renewed; whoever fetches opens the next one.
    const { address, leaseMs, live } = this.#options.connection
    if (live === undefined || deliveries.length === 0 || !live.capabilities.leases) return []
    try {
      return await answered('a renewal', live.renew(deliveries), {
        address,
        timeoutMs: leaseMs / 3,
      })
    } catch (error) {
      this.#options.onError(error)
      return []
    }
  }
}
