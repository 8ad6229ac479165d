import type { Binding, ExchangeDeclaration, QueueDeclaration } from '@celery/transport'
import { deadLetterQueue } from '@celery/transport'
import type { QueueMessage } from '@celery/transport/virtual'
import { MessageQueue, type StoredMessage } from './message-queue.ts'

/** What all connections to one broker share: exchanges, bindings, queues and who waits for them. */
export class MemoryStore {
  readonly #exchanges = new Map<string, ExchangeDeclaration>()
  readonly #bindings = new Map<string, Map<string, Binding>>()
  readonly #queues = new Map<string, MessageQueue>()
  /** Queues declared with `expiresMs`. Nearly always none, and then nobody looks for unused ones. */
  readonly #expiring = new Set<MessageQueue>()
  readonly #owners = new Map<string, object>()
  readonly #waiters = new Map<string, Set<() => void>>()
  #sequence = 0
  #fence = 0

  /** Stands for a session as the holder of deliveries. */
  ownerOf(session: string): object {
    const owner = this.#owners.get(session) ?? {}
    this.#owners.set(session, owner)
    return owner
  }

  declareExchange(exchange: ExchangeDeclaration): void {
    this.#exchanges.set(exchange.name, exchange)
  }

  deleteExchange(name: string): void {
    this.#exchanges.delete(name)
    this.#bindings.delete(name)
  }

  exchange(name: string): ExchangeDeclaration | undefined {
    return this.#exchanges.get(name)
  }

  bind(binding: Binding): void {
    const bindings = this.#bindings.get(binding.exchange) ?? new Map<string, Binding>()
    bindings.set(bindingKey(binding), binding)
    this.#bindings.set(binding.exchange, bindings)
  }

  unbind(binding: Binding): void {
    this.#bindings.get(binding.exchange)?.delete(bindingKey(binding))
  }

  bindings(exchange: string, nowMs: number): readonly Binding[] {
    this.#dropUnusedQueues(nowMs)
    return [...(this.#bindings.get(exchange)?.values() ?? [])]
  }

  get queues(): Iterable<MessageQueue> {
    return this.#queues.values()
  }

  queue(name: string): MessageQueue | undefined {
    return this.#queues.get(name)
  }

  /** Makes the queue if it is not there. */
  declareQueue(declaration: QueueDeclaration, declaredBy: object, nowMs: number): MessageQueue {
    this.#dropUnusedQueues(nowMs)
    const queue = this.#ensureQueue(declaration.name, nowMs)
    queue.declare(declaration, declaredBy)
    queue.lastUsedMs = nowMs
    if (queue.declaration?.expiresMs !== undefined) this.#expiring.add(queue)
    return queue
  }

  deleteQueue(name: string): void {
    const queue = this.#queues.get(name)
    if (queue !== undefined) this.#expiring.delete(queue)
    this.#queues.delete(name)
    for (const bindings of this.#bindings.values()) {
      for (const [key, binding] of bindings) if (binding.queue === name) bindings.delete(key)
    }
  }

  put(message: QueueMessage, nowMs: number): void {
    const queue = this.#ensureQueue(message.queue, nowMs)
    queue.put(message, this.#sequence++, nowMs)
  }

  /** Moves a held message into the dead-letter queue of `queue`; returns the name of that. */
  bury(queue: MessageQueue, message: StoredMessage, reason: string, nowMs: number): string {
    queue.remove(message)
    const name = deadLetterQueue(queue.name)
    const { tag, payload, priority } = message
    this.#ensureQueue(name, nowMs).put({ queue: name, tag, payload, priority }, this.#sequence++, nowMs, reason)
    return name
  }

  /** The fence of one more delivery. */
  newFence(): number {
    return ++this.#fence
  }

  /** Calls `attempt` whenever one of the queues may have something to deliver, until the returned function is called. */
  wait(queues: readonly string[], attempt: () => void): () => void {
    for (const name of queues) {
      const waiters = this.#waiters.get(name) ?? new Set()
      waiters.add(attempt)
      this.#waiters.set(name, waiters)
    }
    return () => {
      for (const name of queues) {
        const waiters = this.#waiters.get(name)
        waiters?.delete(attempt)
        if (waiters?.size === 0) this.#waiters.delete(name)
      }
    }
  }

  /** Wakes those who wait for a queue, who waited longest first. */
  wake(queue: string): void {
    const waiters = this.#waiters.get(queue)
    if (waiters === undefined) return
    for (const attempt of [...waiters]) attempt()
  }

  #ensureQueue(name: string, nowMs: number): MessageQueue {
    const existing = this.#queues.get(name)
    if (existing !== undefined) return existing
    const queue = new MessageQueue(name, nowMs)
    this.#queues.set(name, queue)
    return queue
  }

  #dropUnusedQueues(nowMs: number): void {
    for (const queue of this.#expiring) {
      const expiresMs = queue.declaration?.expiresMs ?? Number.POSITIVE_INFINITY
      if (!this.#waiters.has(queue.name) && nowMs - queue.lastUsedMs >= expiresMs) this.deleteQueue(queue.name)
    }
  }
}

function bindingKey(binding: Binding): string {
  return JSON.stringify([binding.queue, binding.routingKey])
}
