import { parseBrokerUrl, type Transport } from '@celery/transport'
import type { BrokerUnderTest } from '@celery/transport/testkit'
import { memoryTransport } from '../src/index.ts'

/** A memory broker of its own, or what `alter` makes of it, with a clock that can be moved ahead. */
export function memoryUnderTest(
  alter: (transport: Transport) => Transport = (transport) => transport,
): BrokerUnderTest {
  const transport = alter(memoryTransport())
  let aheadMs = 0
  return {
    capabilities: transport.capabilities,
    connect: ({ leaseMs }) =>
      transport.open(parseBrokerUrl('memory://kit'), { leaseMs, now: () => Date.now() + aheadMs }),
    advance(ms) {
      aheadMs += ms
    },
    // The broker is garbage once its transport is.
    async [Symbol.asyncDispose]() {},
  }
}
