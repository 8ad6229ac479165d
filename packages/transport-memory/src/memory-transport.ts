import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '@celery/promises'
import type { BrokerAddress, Transport } from '@celery/transport'
import { virtualTransport } from '@celery/transport/virtual'
import { MemoryBroker, memoryCapabilities } from './memory-broker.ts'
import { MemoryStore } from './memory-store.ts'

export interface MemoryTransportOptions {
  /** Whose time passes in its brokers; for tests. @defaultValue `systemClock` */
  readonly clock?: Clock
  /** Whether deliveries outlive their connection, as on Redis (`capabilities.sessions`); for tests. @defaultValue `false` */
  readonly sessions?: boolean
}

/**
 * A transport with brokers of its own: connections to the same URL share a broker, as long as they are opened through
 * the same transport. A broker lives as long as its transport, so messages wait for whoever connects next.
 */
export function memoryTransport({ clock = systemClock, sessions = false }: MemoryTransportOptions = {}): Transport {
  const stores = new Map<string, MemoryStore>()
  return virtualTransport({
    name: 'memory',
    capabilities: sessions ? { ...memoryCapabilities, sessions } : memoryCapabilities,
    async open(address, options) {
      options.signal?.throwIfAborted()
      const name = brokerName(address)
      const store = stores.get(name) ?? new MemoryStore()
      stores.set(name, store)
      return new MemoryBroker(store, {
        address: address.toString(),
        domain: `memory:${name}`,
        leaseMs: options.leaseMs ?? 30_000,
        now: options.now ?? (() => clock.now()),
        clock,
        session: sessions ? (options.session ?? randomUUID()) : undefined,
      })
    },
  })
}

/** The brokers of this process: `memory://`, `memory://any-name`. */
export const memory: Transport = memoryTransport()

function brokerName({ host, path }: BrokerAddress): string {
  return path === '' ? (host ?? '') : `${host ?? ''}/${path}`
}
