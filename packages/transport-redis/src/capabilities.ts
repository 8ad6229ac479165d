import type { TransportCapabilities } from '@celery/transport'

export const redisCapabilities: TransportCapabilities = {
  shared: true,
  durable: true,
  fanout: true,
  liveFanout: true,
  priorities: 4,
  priorityOrder: 'lowest-first',
  delay: true,
  delayedPublish: false,
  leases: true,
  sessions: true,
  returns: 'front',
  repeats: 'unconfirmed',
  transactions: true,
}
