import type { TransportCapabilities } from '@celery/transport'

export const sqliteCapabilities: TransportCapabilities = {
  shared: true,
  local: true,
  durable: true,
  fanout: true,
  priorities: 10,
  priorityOrder: 'highest-first',
  delay: true,
  leases: true,
  transactions: true,
}
