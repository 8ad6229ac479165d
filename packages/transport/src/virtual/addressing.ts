import type { AbortableOptions } from '@celery/promises'
import { encodeEnvelope } from '@celery/protocol'
import { delaysPublications, type Publication, type TransportCapabilities } from '../broker-connection.ts'
import { deliveryTags } from '../delivery-tags.ts'
import { UnsupportedByTransportError } from '../transport-errors.ts'
import type { LiveMessage } from './live-fanout.ts'
import { matchingQueues, noRoutes, type Routes, readRoutes } from './routing.ts'
import type { TopicMatches } from './topic-pattern.ts'
import type { QueueMessage, VirtualBroker } from './virtual-broker.ts'

export interface AddressingOptions {
  /** Name of the transport, for errors. */
  readonly transport: string
  readonly capabilities: TransportCapabilities
  readonly broker: Pick<VirtualBroker, 'exchange' | 'bindings'>
  readonly topicMatches: TopicMatches
}

/** What publications become: messages to be put into queues, and messages for whoever listens. */
export interface Addressed {
  readonly put: QueueMessage[]
  readonly live: LiveMessage[]
}

/** Finds out where publications go, and puts them into envelopes. */
export class Addressing {
  readonly #options: AddressingOptions
  readonly #newTag = deliveryTags()
  /** Exchanges that are known to be live: nothing of them need be read to publish to them. */
  readonly #live = new Set<string>()

  constructor(options: AddressingOptions) {
    this.#options = options
  }

  /** What is published to that exchange is for whoever listens. */
  setLive(exchange: string, isLive: boolean): void {
    if (isLive) this.#live.add(exchange)
    else this.#live.delete(exchange)
  }

  /** Where the exchanges that publications name lead to. A promise only where that has to be read: not of the default one. */
  routes(
    batches: Iterable<readonly Publication[] | undefined>,
    options: AbortableOptions | undefined,
  ): Routes | Promise<Routes> {
    let names: Set<string> | undefined
    for (const publications of batches) {
      for (const { exchange } of publications ?? []) {
        if (exchange !== '' && !this.#live.has(exchange)) names = (names ?? new Set()).add(exchange)
      }
    }
    return names === undefined ? noRoutes : this.#read(names, options)
  }

  async #read(names: ReadonlySet<string>, options: AbortableOptions | undefined): Promise<Routes> {
    const routes = await readRoutes(this.#options.broker, names, options)
    if (this.#options.capabilities.liveFanout === true) {
      for (const [name, { type }] of routes) if (type === 'fanout') this.#live.add(name)
    }
    return routes
  }

  /**
   * Appends the messages that a publication becomes: one for each queue that takes it.
   * @throws UnknownExchangeError, UnroutableError, UnsupportedByTransportError
   */
  add(publication: Publication, routes: Routes, index: number, into: Addressed): void {
    const { exchange, routingKey } = publication
    if (publication.notBeforeMs !== undefined && !this.#options.capabilities.delay) {
      throw new UnsupportedByTransportError(this.#options.transport, 'messages that are held back until a time')
    }
    const tag = publication.tag ?? this.#newTag()
    if (exchange === '') {
      into.put.push(this.#message(publication, routingKey, tag))
      return
    }
    if (this.#live.has(exchange)) {
      into.live.push({ exchange, routingKey, payload: envelope(publication, tag) })
      return
    }
    const queues = matchingQueues(publication, routes, index, this.#options.topicMatches)
    // Each copy is a message of its own; the same publication must get the same tags when it is repeated.
    for (const queue of queues)
      into.put.push(this.#message(publication, queue, queues.length === 1 ? tag : `${tag}:${queue}`))
  }

  #message(publication: Publication, queue: string, tag: string): QueueMessage {
    const { message, notBeforeMs } = publication
    const payload = envelope(publication, tag)
    const priority = clampPriority(message.properties.priority)
    // Where the broker cannot hold it back, the message says by itself when it is due.
    return notBeforeMs === undefined || !delaysPublications(this.#options.capabilities)
      ? { queue, tag, payload, priority }
      : { queue, tag, payload, priority, notBeforeMs }
  }
}

/** A text body stays readable and costs no base64. */
function envelope({ exchange, message, routingKey }: Publication, deliveryTag: string): string {
  return encodeEnvelope(message, { exchange, routingKey, deliveryTag, bodyEncoding: 'none' })
}

/** 0 to 9, as kombu clamps it; what is not a number is 0. */
function clampPriority(priority: unknown): number {
  if (typeof priority !== 'number' || !(priority > 0)) return 0
  return priority >= 9 ? 9 : Math.floor(priority)
}
