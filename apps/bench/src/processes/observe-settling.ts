import type { Settlement, Transport } from '@celery/transport'

/** The same transport; tells which settlements the broker has confirmed, as soon as it has. */
export function observeSettling(
  transport: Transport,
  onSettled: (settlements: readonly Settlement[]) => void,
): Transport {
  return {
    name: transport.name,
    capabilities: transport.capabilities,
    async open(address, options) {
      const connection = await transport.open(address, options)
      const settle = connection.settle.bind(connection)
      connection.settle = async (settlements, settleOptions) => {
        const results = await settle(settlements, settleOptions)
        onSettled(settlements)
        return results
      }
      return connection
    },
  }
}
