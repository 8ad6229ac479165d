/**
 * The peer that is our own transport and nothing else: a loop that fetches, decodes envelopes and acknowledges, by the same
 * scripts as a worker. No tasks, no results, no prefetch window.
 */
import { decodeEnvelope } from '@celery/protocol'
import { type Delivery, parseBrokerUrl } from '@celery/transport'
import type { DrainCommand } from './drain-worker.ts'
import { serve, startArgument, stopwatch, waitForStart } from './measured.ts'
import { transports } from './transports.ts'

export interface BareLoopArgument {
  readonly url: string
  readonly queue: string
}

/** As many as the worker beside it fetches ahead: four for each of its 50 slots. */
const batch = 200

async function main({ queue, url }: BareLoopArgument): Promise<void> {
  const transport = await transports.redis()
  const broker = await transport.open(parseBrokerUrl(url))
  await broker.declareQueue({ name: queue })
  const { signal } = new AbortController()

  async function drain(tasks: number): Promise<void> {
    let settling: Promise<unknown> = Promise.resolve()
    for (let left = tasks; left > 0; ) {
      const deliveries = await broker.fetch([queue], { max: Math.min(batch, left), signal })
      for (const delivery of deliveries) decode(delivery)
      left -= deliveries.length
      await settling
      // While these are acknowledged, the next are fetched.
      settling = broker.settle(deliveries.map((delivery) => ({ delivery })))
    }
    await settling
  }

  serve<DrainCommand>({
    async onCommand({ tasks }) {
      await waitForStart()
      const spent = stopwatch()
      await drain(tasks)
      return spent()
    },
    onEnd: () => broker.close(),
  })
}

function decode({ payload }: Delivery): void {
  if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) throw new TypeError('not an envelope')
  decodeEnvelope(payload)
}

void main(startArgument())
