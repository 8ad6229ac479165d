import { memory as memoryBackend } from '@celery/backend-memory'
import { decodeEnvelope, decodeTaskBody, decodeTaskHeaders, type TaskBody, type TaskHeaders } from '@celery/protocol'
import { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { onTestFinished } from 'vitest'
import { type AppOptions, CeleryApp } from '../src/index.ts'
import type { TraceInput, TraceOutcome } from '../src/internal.ts'

/** A message as a worker finds it. */
export interface Sent {
  readonly delivery: Delivery
  readonly input: TraceInput
  readonly headers: TaskHeaders
  readonly body: TaskBody
  readonly properties: Readonly<Record<string, unknown>>
}

export interface TestApp {
  readonly app: CeleryApp
  readonly broker: BrokerConnection
  /** What the app told its user. */
  readonly notices: readonly string[]
  /** The next message of the queue; it is held from then on. */
  take(queue?: string): Promise<Sent>
  /** Runs the next message of the queue and does what a worker does with the outcome. */
  runNext(queue?: string): Promise<TraceOutcome>
  /** Lets time pass for the broker. */
  advance(ms: number): void
  /** Messages that wait in the queue. */
  waiting(queue?: string): Promise<number>
}

const serializers = new SerializerRegistry()
const compressions = new CompressionRegistry()
// Those of the tests that are not in memory from the start.
await Promise.all([serializers.load('yaml'), serializers.load('msgpack'), compressions.load('bzip2')])
const accept = serializers.acceptList(['json', 'yaml', 'msgpack'])
let apps = 0

/** An app on a broker and a result store of its own, closed when the test ends. */
export async function testApp(options: AppOptions = {}): Promise<TestApp> {
  const transport = memoryTransport()
  const notices: string[] = []
  const app = new CeleryApp('test', {
    broker: 'memory://',
    // The store is shared by name within the process, where the broker is not.
    backend: `memory://test-${++apps}`,
    notify: (message) => notices.push(message),
    ...options,
  })
  app.transports.register('memory', async () => transport)
  app.backends.register('memory', async () => memoryBackend)
  let aheadMs = 0
  const broker = await transport.open(parseBrokerUrl('memory://'), { now: () => Date.now() + aheadMs })
  onTestFinished(async () => {
    await app.close()
    await broker.close()
  })

  async function take(queue = 'celery'): Promise<Sent> {
    const [delivery] = await broker.fetch([queue], { max: 1, signal: AbortSignal.timeout(5_000) })
    return decode(delivery as Delivery)
  }

  return {
    app,
    broker,
    notices,
    take,
    async runNext(queue) {
      const { delivery, input } = await take(queue)
      const outcome = await app.tracer.run(input, undefined)
      await broker.settle([
        {
          delivery,
          ...(outcome.publish === undefined ? {} : { publish: outcome.publish }),
          ...(outcome.dead === undefined ? {} : { action: { type: 'dead', reason: outcome.dead } }),
        },
      ])
      const store = await app.backendIfConfigured()
      if (outcome.write !== undefined) await store?.store([outcome.write])
      return outcome
    },
    advance(ms) {
      aheadMs += ms
    },
    async waiting(queue = 'celery') {
      const { ready, delayed } = await broker.declareQueue({ name: queue })
      return ready + delayed
    },
  }
}

function decode(delivery: Delivery): Sent {
  const message = decodeEnvelope(delivery.payload as string)
  const { body, contentType, contentEncoding, properties } = message
  const headers = decodeTaskHeaders(message.headers)
  const { compression } = headers
  const plain = compression === undefined ? body : compressions.decompress(body, compression)
  return {
    delivery,
    input: {
      headers,
      body,
      contentType,
      contentEncoding,
      replyTo: properties.reply_to,
      queue: delivery.queue,
      redeliveries: delivery.redeliveries,
      hostname: 'worker@test',
    },
    headers,
    body: decodeTaskBody(serializers.decode(plain, contentType, contentEncoding, { accept })),
    properties,
  }
}
