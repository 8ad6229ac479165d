import type { BrokerConnection, Settlement, SettleResult, Transport } from '@celery/transport'
import type { Celery } from 'celery'
import type { Setup } from './setup.ts'

/** Messages that are rejected before the bug strikes, so that memory has settled. */
const calmRejections = 40

/** The same transport; where the setup names a bug, the worker's main process has that bug once it rejects messages. */
export function plantBug(transport: Transport, app: Celery, { bug }: Setup): Transport {
  let rejections = 0
  const strikes = (): boolean => rejections > calmRejections
  app.signals.taskRejected.connect(() => {
    rejections++
    if (bug === 'exit' && strikes()) process.exit(7)
    if (bug === 'unhandled' && strikes()) void Promise.reject(new Error('planted'))
    if (bug === 'slow' && rejections === calmRejections) block(4_000)
    if (bug === 'leak' && strikes()) kept.push(Buffer.alloc(2 ** 20, rejections))
  })
  return {
    ...transport,
    open: async (address, options) => {
      const connection = await transport.open(address, options)
      changeSettlements(connection, (settlement) => (strikes() ? changed(settlement, bug) : settlement))
      return connection
    },
  }
}

const kept: Buffer[] = []

/** `undefined` where it is not to reach the broker. */
function changed(settlement: Settlement, bug: Setup['bug']): Settlement | undefined {
  if (settlement.action?.type !== 'dead') return settlement
  if (bug === 'hold') return undefined
  if (bug === 'drop') return { ...settlement, action: { type: 'ack' } }
  if (bug === 'silent') return { ...settlement, writes: [] }
  return settlement
}

function changeSettlements(
  connection: BrokerConnection,
  change: (settlement: Settlement) => Settlement | undefined,
): void {
  const settle = connection.settle.bind(connection)
  connection.settle = async (settlements, options) => {
    const sent = settlements.map(change)
    const results = await settle(
      sent.filter((settlement) => settlement !== undefined),
      options,
    )
    let answered = 0
    return sent.map((settlement): SettleResult => (settlement === undefined ? 'done' : (results[answered++] ?? 'done')))
  }
}

/** Computes for so long: what a busy machine takes in addition is not counted against the worker. */
function block(ms: number): void {
  for (const before = process.cpuUsage(); process.cpuUsage(before).user < ms * 1_000; );
}
