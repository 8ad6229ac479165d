import type { AbortableOptions } from '@celery/promises'
import type { Binding } from '../broker-connection.ts'

/**
 * The live side of a store: hands messages of fanout exchanges to whoever listens at that moment, and keeps none. Given to
 * `virtualTransport()` by a driver whose capabilities say `liveFanout`; queues, waiting and settling are put on top.
 */
export interface LiveFanout {
  /** Rejects with `ConnectionLostError` once nothing is heard any more, though `close()` was not called; else resolves after that. */
  readonly closed: Promise<void>
  /** Resolves when the broker has handed the messages on, in their order. */
  publish(messages: readonly LiveMessage[], options?: AbortableOptions): Promise<void>
  /** Resolves when the queue of `binding` hears what is published from now on. Binding twice is as once. */
  listen(binding: Binding, options?: AbortableOptions): Promise<void>
  /** The queue hears nothing of this binding any more. */
  unlisten(binding: Binding, options?: AbortableOptions): Promise<void>
  close(): Promise<void>
}

/** Gets the envelope of what a queue hears; once for each message, however many of its bindings match. Must not throw. */
export type OnLiveMessage = (queue: string, payload: Uint8Array | string) => void

/** A message on its way to a fanout exchange. */
export interface LiveMessage {
  readonly exchange: string
  readonly routingKey: string
  /** The envelope. */
  readonly payload: string
}
