import { Celery } from '@celery/app'
import { deadLetterQueue, type Transport } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { expect, onTestFinished, test } from 'vitest'
import { createWorker } from '../src/index.ts'

/** A broker without leases that takes no dead letters, `times` times. */
function withoutDeadLetters(times: number): { readonly transport: Transport; readonly refused: () => number } {
  const memory = memoryTransport()
  let refused = 0
  const capabilities = { ...memory.capabilities, leases: false }
  const transport: Transport = {
    ...memory,
    capabilities,
    async open(address, options) {
      const opened = await memory.open(address, { ...options, leaseMs: 3_600_000 })
      const settle = opened.settle.bind(opened)
      opened.settle = async (settlements, settleOptions) => {
        if (refused < times && settlements.some(({ action }) => action?.type === 'dead')) {
          refused++
          throw new Error('no dead letters today')
        }
        return settle(settlements, settleOptions)
      }
      return Object.assign(opened, { capabilities })
    },
  }
  return { transport, refused: () => refused }
}

test('P-3 a message that cannot be buried is tried again after a while, also where no lease ends', async () => {
  const { refused, transport } = withoutDeadLetters(3)
  const app = new Celery('test', { broker: 'memory://', settings: { leaseMs: 30 }, notify: () => {} })
  app.transports.register('memory', async () => transport)
  onTestFinished(() => app.close())
  const worker = createWorker(app, { concurrency: 1, logger: silent })
  await worker.start()
  await app.sendTask('nobody.knows')

  const broker = await app.connectionForRead().broker()
  const [dead] = await broker.fetch([deadLetterQueue('celery')], { max: 1, signal: AbortSignal.timeout(60_000) })
  expect(refused()).toBe(3)
  expect(dead?.deadReason).toContain('nobody.knows')
  await worker.stop()
})

const silent = { debug() {}, info() {}, warning() {}, error() {}, critical() {}, isEnabled: () => false }
