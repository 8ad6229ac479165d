import type { AbortableOptions } from '@celery/promises'
import type { BrokerConnection } from '@celery/transport'
import type { Exchange } from './exchange.ts'
import type { Queue } from './queue.ts'

/** What has been declared on which connection, so that nothing is declared for every message: kombu's `maybe_declare`. */
export class Declarations {
  readonly #declared = new WeakMap<BrokerConnection, WeakSet<Exchange | Queue>>()

  /** Whether all of them were declared on that connection. */
  has(broker: BrokerConnection | undefined, entities: readonly (Exchange | Queue)[]): boolean {
    if (entities.length === 0) return true
    const declared = broker === undefined ? undefined : this.#declared.get(broker)
    return declared !== undefined && entities.every((entity) => declared.has(entity))
  }

  /** Declares those that were not. */
  async declare(
    broker: BrokerConnection,
    entities: readonly (Exchange | Queue)[],
    options?: AbortableOptions,
  ): Promise<void> {
    const declared = this.#declared.get(broker) ?? new WeakSet()
    this.#declared.set(broker, declared)
    for (const entity of entities) {
      if (declared.has(entity)) continue
      await entity.declare(broker, options)
      declared.add(entity)
    }
  }

  /** They may be gone: the next `declare` declares them again. */
  forget(broker: BrokerConnection | undefined, entities: readonly (Exchange | Queue)[]): void {
    const declared = broker === undefined ? undefined : this.#declared.get(broker)
    if (declared !== undefined) for (const entity of entities) declared.delete(entity)
  }
}
