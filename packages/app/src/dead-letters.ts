import type { Connection } from '@celery/messaging'
import { type AbortableOptions, anySignal } from '@celery/promises'
import type { WireMessage } from '@celery/protocol'
import { type BrokerConnection, type Delivery, deadLetterQueue, type Settlement } from '@celery/transport'
import { type DeadLetter, deadReasonHeader, readDeadLetter } from './read-dead-letter.ts'
import { withoutUnknownWait } from './unknown-wait.ts'

/** Which letters: all of them, those with one of these ids, or those for which it returns true. */
export type DeadLetterSelection = 'all' | readonly string[] | ((letter: DeadLetter) => boolean)

export interface RequeueResult {
  /** Ids of what is in its queue again. */
  readonly requeued: readonly string[]
  /** Ids of what was selected and cannot be read: no worker could take it, so it stays. */
  readonly unreadable: readonly string[]
}

export interface DeadLetterListOptions extends AbortableOptions {
  /** Most letters to list. @defaultValue all */
  readonly limit?: number
}

/** Messages that are looked at together; each may have megabytes. */
const batchSize = 20
/** Milliseconds to wait for a message that is said to be there, before asking whether it still is. */
const takeTimeoutMs = 1_000

interface Taken {
  readonly delivery: Delivery
  readonly letter: DeadLetter
}

/**
 * The messages of one queue that no worker could deal with: those that cannot be read, whose task is not known, or which
 * came back too often. The broker keeps them in `<queue>.dead`, at most 10,000 of them for at most seven days.
 *
 * Whoever looks at them holds them meanwhile: a second program that looks at the same time sees the others only. They are
 * back in their places when it is done, also if it is killed (after the broker's lease).
 */
export class DeadLetters {
  /** The queue that they came from. */
  readonly queue: string
  readonly #connect: () => Connection

  /** @internal */
  constructor(queue: string, connect: () => Connection) {
    this.queue = queue
    this.#connect = connect
  }

  /** Those that are there now, the oldest first. They stay there. */
  async *list({
    limit = Number.POSITIVE_INFINITY,
    ...options
  }: DeadLetterListOptions = {}): AsyncGenerator<DeadLetter, void, undefined> {
    await using connection = this.#connect()
    const broker = await connection.broker(options)
    let left = limit
    for await (const batch of this.#take(broker, limit, options)) {
      for (const { letter } of batch) {
        if (left-- <= 0) return
        yield letter
      }
    }
  }

  /**
   * Puts messages back into the queue that they came from, to be delivered as if for the first time: under the same task
   * id, with the arguments, times and retries they have, and no redelivery counted. A message leaves the dead letters in
   * the step in which it enters its queue. What does not come to its end because the connection is lost can be repeated.
   */
  async requeue(selection: DeadLetterSelection, options?: AbortableOptions): Promise<RequeueResult> {
    const requeued: string[] = []
    const unreadable: string[] = []
    await this.#settle(selection, options, ({ delivery, letter }) => {
      if (letter.message === undefined) {
        unreadable.push(letter.id)
        return undefined
      }
      const publication = { exchange: '', routingKey: this.queue, message: asNew(letter.message) }
      return { settlement: { delivery, publish: [publication] }, done: () => requeued.push(letter.id) }
    })
    return { requeued, unreadable }
  }

  /** Deletes messages for good; resolves to how many. */
  async purge(selection: DeadLetterSelection, options?: AbortableOptions): Promise<number> {
    if (selection === 'all') {
      await using connection = this.#connect()
      return await (await connection.broker(options)).purgeQueue(deadLetterQueue(this.queue), options)
    }
    let purged = 0
    await this.#settle(selection, options, ({ delivery }) => ({ settlement: { delivery }, done: () => purged++ }))
    return purged
  }

  /** Settles what is selected, batch by batch; the rest is given back when the connection closes. */
  async #settle(
    selection: DeadLetterSelection,
    options: AbortableOptions | undefined,
    decide: (taken: Taken) => { readonly settlement: Settlement; readonly done: () => void } | undefined,
  ): Promise<void> {
    const isSelected = selector(selection)
    await using connection = this.#connect()
    const broker = await connection.broker(options)
    for await (const batch of this.#take(broker, Number.POSITIVE_INFINITY, options)) {
      const decided = batch.filter(({ letter }) => isSelected(letter)).flatMap((taken) => decide(taken) ?? [])
      if (decided.length === 0) continue
      const results = await broker.settle(
        decided.map(({ settlement }) => settlement),
        options,
      )
      // A stale one is somebody else's by now.
      for (const [index, { done }] of decided.entries()) if (results[index] === 'done') done()
    }
  }

  /**
   * Takes what was there at the beginning, and nothing that dies meanwhile, so that it ends although what is put back may
   * die again. A message whose lease ran out comes a second time and is passed over.
   */
  async *#take(
    broker: BrokerConnection,
    limit: number,
    options: AbortableOptions = {},
  ): AsyncGenerator<readonly Taken[]> {
    const name = deadLetterQueue(this.queue)
    const ready = async (): Promise<number> => (await broker.declareQueue({ name, durable: true }, options)).ready
    const seen = new Set<string>()
    let left = Math.min(limit, await ready())
    while (left > 0) {
      const deliveries = await takeSome(broker, name, Math.min(left, batchSize), options)
      if (deliveries.length === 0) {
        // Somebody else has taken them, or the broker is slow.
        left = Math.min(left, await ready())
        continue
      }
      const fresh = deliveries.filter(({ tag }) => !seen.has(tag))
      for (const { tag } of fresh) seen.add(tag)
      left -= fresh.length
      yield fresh.map((delivery) => ({ delivery, letter: readDeadLetter(delivery, this.queue) }))
    }
  }
}

/** None where there are no more. */
async function takeSome(
  broker: BrokerConnection,
  queue: string,
  max: number,
  { signal }: AbortableOptions,
): Promise<readonly Delivery[]> {
  const late = AbortSignal.timeout(takeTimeoutMs)
  using both = anySignal(late, signal)
  try {
    return await broker.fetch([queue], { max, signal: both.signal })
  } catch (error) {
    if (error === late.reason) return []
    throw error
  }
}

function selector(selection: DeadLetterSelection): (letter: DeadLetter) => boolean {
  if (selection === 'all') return () => true
  if (typeof selection === 'function') return selection
  const ids = new Set(selection)
  return ({ id }) => ids.has(id)
}

/** Without what it says of how it came here. */
function asNew(message: WireMessage): WireMessage {
  const { [deadReasonHeader]: _, ...headers } = message.headers
  return { ...message, headers: withoutUnknownWait(headers) }
}
