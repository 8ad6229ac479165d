import { parseBrokerUrl, type Transport } from '@celery/transport'
import type { BrokerUnderTest } from '@celery/transport/testkit'
import { type MemoryTransportOptions, memoryTransport } from '../src/index.ts'

/** A memory broker of its own, or what `alter` makes of it, with a clock that can be moved ahead. */
export function memoryUnderTest(
  alter: (transport: Transport) => Transport = (transport) => transport,
  options: MemoryTransportOptions = {},
): BrokerUnderTest {
  const transport = alter(memoryTransport(options))
  let aheadMs = 0
  return {
    capabilities: transport.capabilities,
    connect: ({ leaseMs, session }) =>
      transport.open(parseBrokerUrl('memory://kit'), {
        leaseMs,
        ...(session && { session }),
        now: () => Date.now() + aheadMs,
      }),
    advance(ms) {
      aheadMs += ms
    },
    // The broker is garbage once its transport is.
    async [Symbol.asyncDispose]() {},
  }
}
