import type { BrokerConnection, Delivery, Settlement, SettleResult, Transport } from '@celery/transport'
import { Random } from './random.ts'
import type { Setup } from './setup.ts'

/**
 * The same transport, which notes in the ledger which process fetches under which session of the broker, each time it begins to
 * on a new connection: so the broker tells what a process holds. Where the setup names a bug, it has that bug.
 */
export function instrument(transport: Transport, setup: Setup, note: (line: string) => void): Transport {
  return {
    ...transport,
    open: async (address, options) => {
      const connection = withBug(await transport.open(address, options), setup)
      let [hasAsked, hasFetched] = [false, false]
      const fetch = connection.fetch.bind(connection)
      connection.fetch = async (queues, fetchOptions) => {
        if (!hasAsked) {
          hasAsked = true
          const keeper = connection.leaseKeeper?.data as { readonly session?: string } | undefined
          note(`session ${keeper?.session ?? options?.session ?? 'none'} ${process.pid} ${Date.now()}`)
        }
        const deliveries = await fetch(queues, fetchOptions)
        if (!hasFetched && deliveries.length > 0) {
          hasFetched = true
          note(`fetched ${process.pid} ${Date.now()}`)
        }
        return deliveries
      }
      return connection
    },
  }
}

/** Connections that this process has opened. */
let opened = 0

function withBug(connection: BrokerConnection, setup: Setup): BrokerConnection {
  const random = new Random(setup.seed, process.pid)
  const strikes = (): boolean => random.next() * setup.bugEvery < 1
  const fetch = connection.fetch.bind(connection)
  const settle = connection.settle.bind(connection)
  const publish = connection.publish.bind(connection)
  switch (setup.bug) {
    case 'ack-early': {
      const acknowledged = new Set<Delivery['fence']>()
      connection.fetch = async (queues, options) => {
        const deliveries = await fetch(queues, options)
        const early = deliveries.filter(strikes)
        await settle(early.map((delivery) => ({ delivery })))
        for (const { fence } of early) acknowledged.add(fence)
        return deliveries
      }
      connection.settle = (settlements, options) => {
        const isEarly = ({ delivery }: Settlement): boolean =>
          delivery !== undefined && acknowledged.has(delivery.fence)
        return settle(
          settlements.map((settlement) => {
            if (!isEarly(settlement)) return settlement
            const { delivery: _gone, action: _none, ...rest } = settlement
            return rest
          }),
          options,
        )
      }
      break
    }
    case 'hold':
      connection.settle = async (settlements, options) => {
        const forgotten = settlements.map(({ delivery }) => delivery !== undefined && strikes())
        const results = await settle(
          settlements.filter((_settlement, index) => !forgotten[index]),
          options,
        )
        let answered = 0
        return forgotten.map(
          (isForgotten): SettleResult => (isForgotten ? 'done' : (results[answered++] as SettleResult)),
        )
      }
      break
    case 'drop':
      connection.publish = (publications, options) =>
        publish(
          publications.filter(() => !strikes()),
          options,
        )
      break
    case 'send-twice':
      connection.publish = (publications, options) => {
        const copies = publications.filter(strikes).map(({ tag: _own, ...publication }) => publication)
        return publish([...publications, ...copies], options)
      }
      break
    case 'forget-tag':
      connection.publish = (publications, options) =>
        publish(
          publications.map(({ tag: _forgotten, ...publication }) => publication),
          options,
        )
      break
    case 'stay-away':
      if (++opened === 1 || !strikes()) break
      connection.fetch = (_queues, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
      break
    default:
  }
  return connection
}
