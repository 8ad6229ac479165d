import type { QueueDeclaration } from '../broker-connection.ts'

/** What this process knows of a queue that its connections have declared or fetched from. */
interface QueueUse {
  readonly consumers: Set<object>
  /** Fetches that wait now. */
  waiting: number
  lastUsedMs: number
  /** Set where the queue was made here: then its end is decided here too. */
  made?: { readonly by: object; readonly as: QueueDeclaration }
}

/** Who uses which queue, to tell when one that ends by itself has come to its end. */
export class ListUses {
  readonly #uses = new Map<string, QueueUse>()

  declared(queue: string, nowMs: number): void {
    this.#use(queue, nowMs)
  }

  made(declaration: QueueDeclaration, by: object, nowMs: number): void {
    this.#use(declaration.name, nowMs).made = { by, as: declaration }
  }

  fetched(queues: readonly string[], by: object, nowMs: number): void {
    for (const queue of queues) this.#use(queue, nowMs).consumers.add(by)
  }

  /** Marks queues that somebody waits for as in use, until the result is called. */
  waiting(queues: readonly string[], now: () => number): () => void {
    const uses = queues.map((queue) => this.#use(queue, now()))
    for (const use of uses) use.waiting++
    return () => {
      for (const use of uses) {
        use.waiting--
        use.lastUsedMs = now()
      }
    }
  }

  forget(queue: string): void {
    this.#uses.delete(queue)
  }

  /** The queues made here that nobody here has used for their time. */
  unused(nowMs: number): readonly string[] {
    return this.#select(({ made, waiting, lastUsedMs }) => {
      const expiresMs = made?.as.expiresMs ?? Number.POSITIVE_INFINITY
      return waiting === 0 && nowMs - lastUsedMs >= expiresMs
    })
  }

  /** A connection leaves: the queues made here that end with it. */
  endingWith(connection: object): readonly string[] {
    return this.#select(({ consumers, made }) => {
      const wasLast = consumers.delete(connection) && consumers.size === 0
      return made !== undefined && ((made.as.exclusive && made.by === connection) || (made.as.autoDelete && wasLast))
    })
  }

  #use(queue: string, nowMs: number): QueueUse {
    const use = this.#uses.get(queue) ?? { consumers: new Set(), waiting: 0, lastUsedMs: nowMs }
    use.lastUsedMs = nowMs
    this.#uses.set(queue, use)
    return use
  }

  #select(matches: (use: QueueUse) => boolean | undefined): readonly string[] {
    return [...this.#uses].filter(([, use]) => matches(use) === true).map(([name]) => name)
  }
}
