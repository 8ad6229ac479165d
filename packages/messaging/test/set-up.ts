import type { ManualClock } from '@celery/promises'
import type { BrokerConnection, Publication } from '@celery/transport'
import { onTestFinished } from 'vitest'
import { Connection, type ConnectionOptions, TransportRegistry } from '../src/index.ts'
import { FaultyTransport } from './faulty-transport.ts'

/** A connection to a broker that fails on command, closed when the test ends. */
export function setUp({
  sessions = false,
  ...options
}: Partial<ConnectionOptions> & { readonly sessions?: boolean } = {}) {
  const transport = new FaultyTransport({ sessions })
  const transports = new TransportRegistry().register('faulty', async () => transport)
  const connection = new Connection({ urls: ['faulty://'], transports, ...options })
  onTestFinished(() => connection.close())
  return { transport, transports, connection }
}

/** A message to a queue whose body says which one it is. */
export function publication(body: string, queue = 'q'): Publication {
  const message = { body, contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
  return { exchange: '', routingKey: queue, message, mandatory: true }
}

/** Waits until somebody sleeps by `clock`, and wakes them. Returns for how many milliseconds they slept, rounded up. */
export async function passPause(clock: ManualClock): Promise<number> {
  await clock.whenPending()
  let ms = 0
  for (; clock.pending > 0; ms++) clock.advance(1)
  return ms
}

export async function ready(broker: BrokerConnection, queue = 'q'): Promise<number> {
  return (await broker.declareQueue({ name: queue })).ready
}

export async function held(broker: BrokerConnection, queue = 'q'): Promise<number> {
  return (await broker.declareQueue({ name: queue })).held
}
