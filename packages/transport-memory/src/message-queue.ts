import {
  type DeliveryRef,
  deadLetterLimits,
  isDeadLetterQueue,
  type QueueDeclaration,
  type QueueInfo,
} from '@celery/transport'
import type { QueueMessage } from '@celery/transport/virtual'
import { Heap } from './heap.ts'

/** A message in its queue. It keeps its `sequence`, its place, however often it leaves and comes back. */
export interface StoredMessage {
  readonly tag: string
  readonly payload: string
  readonly priority: number
  readonly sequence: number
  readonly deadReason: string | undefined
  /** When it goes away unread; `Infinity` for never. */
  readonly dropAtMs: number
  notBeforeMs: number
  redeliveries: number
  /** Set while somebody holds it. */
  owner: object | undefined
  fence: number
  leaseUntilMs: number
}

/** One queue: each message is ready, delayed or held. Knows no waiting and no other queue. */
export class MessageQueue {
  readonly name: string
  /** Absent while nobody has declared the queue and it is only there because a message came. */
  declaration: QueueDeclaration | undefined
  /** The connection that declared it. */
  declaredBy: object | undefined
  /** Connections that have fetched from it. */
  readonly consumers: Set<object> = new Set()
  lastUsedMs: number
  readonly #keepsDead: boolean
  readonly #byTag = new Map<string, StoredMessage>()
  readonly #ready = new Heap<StoredMessage>(isDeliveredBefore)
  readonly #delayed = new Heap<StoredMessage>(isDueBefore)
  readonly #held = new Set<StoredMessage>()
  /** No lease ends before this. A renewed lease may leave it too early, which costs one look and loses nothing. */
  #firstLeaseEndMs = Number.POSITIVE_INFINITY

  constructor(name: string, nowMs: number) {
    this.name = name
    this.lastUsedMs = nowMs
    this.#keepsDead = isDeadLetterQueue(name)
  }

  /** The first declaration counts; the queue is what it says until it goes away. */
  declare(declaration: QueueDeclaration, declaredBy?: object): void {
    if (this.declaration !== undefined) return
    this.declaration = declaration
    this.declaredBy = declaredBy
  }

  /** Adds a message, unless one of the same tag is here already. */
  put(message: QueueMessage, sequence: number, nowMs: number, deadReason?: string): void {
    if (this.#byTag.has(message.tag)) return
    const notBeforeMs = message.notBeforeMs ?? 0
    const stored: StoredMessage = {
      tag: message.tag,
      payload: message.payload,
      priority: this.#keepsDead ? 0 : message.priority,
      sequence,
      deadReason,
      dropAtMs: Math.max(nowMs, notBeforeMs) + this.#messageTtlMs,
      notBeforeMs,
      redeliveries: 0,
      owner: undefined,
      fence: 0,
      leaseUntilMs: 0,
    }
    this.#byTag.set(stored.tag, stored)
    this.#line(stored, nowMs)
    if (this.#keepsDead) this.#trim(deadLetterLimits.maxMessages)
  }

  /** Moves the next message from ready to held. */
  take(owner: object, fence: number, leaseMs: number, nowMs: number): StoredMessage | undefined {
    for (;;) {
      const message = this.#ready.pop()
      if (message === undefined) return undefined
      if (message.dropAtMs <= nowMs) {
        this.#byTag.delete(message.tag)
        continue
      }
      message.owner = owner
      message.fence = fence
      this.#held.add(message)
      this.#lease(message, nowMs + leaseMs)
      return message
    }
  }

  /** The message, if `delivery` is the last delivery of it and nobody has taken it over. */
  held(delivery: DeliveryRef): StoredMessage | undefined {
    const message = this.#byTag.get(delivery.tag)
    return message?.owner !== undefined && message.fence === delivery.fence ? message : undefined
  }

  renew(message: StoredMessage, leaseMs: number, nowMs: number): void {
    this.#lease(message, nowMs + leaseMs)
  }

  /** Ends a held message. */
  remove(message: StoredMessage): void {
    this.#held.delete(message)
    this.#byTag.delete(message.tag)
  }

  /** Puts a held message back where it was, or lets it wait until a time. */
  giveBack(message: StoredMessage, nowMs: number, untilMs = 0): void {
    this.#held.delete(message)
    message.owner = undefined
    message.notBeforeMs = untilMs
    this.#line(message, nowMs)
  }

  /** Gives back everything that `owner` holds. */
  giveBackAll(owner: object, nowMs: number): void {
    for (const message of this.#held) {
      if (message.owner === owner) this.giveBack(message, nowMs)
    }
  }

  /** Lets time pass: what is due becomes ready, and what its owner has not renewed comes back. */
  catchUp(nowMs: number): void {
    for (let due = this.#delayed.peek(); due !== undefined && due.notBeforeMs <= nowMs; due = this.#delayed.peek()) {
      this.#delayed.pop()
      this.#ready.push(due)
    }
    if (this.#firstLeaseEndMs > nowMs) return
    this.#firstLeaseEndMs = Number.POSITIVE_INFINITY
    for (const message of this.#held) {
      if (message.leaseUntilMs > nowMs) {
        this.#firstLeaseEndMs = Math.min(this.#firstLeaseEndMs, message.leaseUntilMs)
      } else {
        message.redeliveries++
        this.giveBack(message, nowMs)
      }
    }
  }

  /** When `catchUp` may have something to do next. */
  get nextChangeMs(): number {
    return Math.min(this.#delayed.peek()?.notBeforeMs ?? Number.POSITIVE_INFINITY, this.#firstLeaseEndMs)
  }

  get hasReady(): boolean {
    return this.#ready.size > 0
  }

  /** Removes every ready message and returns how many there were. */
  purge(nowMs: number): number {
    const removed = this.#readyCount(nowMs)
    for (const message of this.#ready.items) this.#byTag.delete(message.tag)
    this.#ready.clear()
    return removed
  }

  info(nowMs: number): QueueInfo {
    return {
      name: this.name,
      ready: this.#readyCount(nowMs),
      delayed: this.#delayed.size,
      held: this.#held.size,
    }
  }

  get #messageTtlMs(): number {
    const otherwiseMs = this.#keepsDead ? deadLetterLimits.messageTtlMs : Number.POSITIVE_INFINITY
    return this.declaration?.messageTtlMs ?? otherwiseMs
  }

  /** Removes the ready messages delivered first until at most `size` are left. */
  #trim(size: number): void {
    while (this.#ready.size > size) {
      const message = this.#ready.pop()
      if (message !== undefined) this.#byTag.delete(message.tag)
    }
  }

  #readyCount(nowMs: number): number {
    if (this.#messageTtlMs === Number.POSITIVE_INFINITY) return this.#ready.size
    return this.#ready.items.filter((message) => message.dropAtMs > nowMs).length
  }

  #line(message: StoredMessage, nowMs: number): void {
    if (message.notBeforeMs > nowMs) this.#delayed.push(message)
    else this.#ready.push(message)
  }

  #lease(message: StoredMessage, untilMs: number): void {
    message.leaseUntilMs = untilMs
    if (untilMs < this.#firstLeaseEndMs) this.#firstLeaseEndMs = untilMs
  }
}

function isDeliveredBefore(a: StoredMessage, b: StoredMessage): boolean {
  return a.priority === b.priority ? a.sequence < b.sequence : a.priority > b.priority
}

function isDueBefore(a: StoredMessage, b: StoredMessage): boolean {
  return a.notBeforeMs === b.notBeforeMs ? a.sequence < b.sequence : a.notBeforeMs < b.notBeforeMs
}
