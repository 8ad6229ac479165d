import { randomUUID } from 'node:crypto'
import { Exchange } from './exchange.ts'
import { Queue, type QueueOptions } from './queue.ts'

export interface BroadcastOptions extends QueueOptions {
  /** Name of the queue. @defaultValue made up, a new one for each `Broadcast` */
  readonly queue?: string | undefined
  /** Takes `queue` as the beginning of a made-up name, so that programs of one configuration do not share it. @defaultValue `false` */
  readonly unique?: boolean | undefined
}

/**
 * A queue that gets every message published to the fanout exchange `name`: each program that consumes one of its own gets
 * all of them. Goes away with its consumer. Needs a broker with fanout.
 */
export class Broadcast extends Queue {
  readonly #of: string
  readonly #options: QueueOptions

  constructor(name: string, { queue, unique = false, ...options }: BroadcastOptions = {}) {
    super(unique ? `${queue ?? 'bcast'}.${randomUUID()}` : (queue ?? `bcast.${randomUUID()}`), {
      autoDelete: true,
      alias: name,
      exchange: new Exchange(name, { type: 'fanout' }),
      ...options,
    })
    this.#of = name
    this.#options = options
  }

  /** The same queue, and still that of a broadcast, but for these options. */
  override with(changes: QueueOptions): Broadcast {
    return new Broadcast(this.#of, { ...this.#options, ...changes, queue: this.name })
  }
}
