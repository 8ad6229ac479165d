import { connectionCases } from './cases/connections.ts'
import { delayCases } from './cases/delays.ts'
import { durabilityCases } from './cases/durability.ts'
import { exchangeCases } from './cases/exchanges.ts'
import { leaseCases } from './cases/leases.ts'
import { liveFanoutCases } from './cases/live-fanout.ts'
import { modelCases } from './cases/model.ts'
import { orderCases } from './cases/order.ts'
import { payloadCases } from './cases/payloads.ts'
import { queueCases } from './cases/queues.ts'
import { sessionCases } from './cases/sessions.ts'
import { settlementCases } from './cases/settlements.ts'
import { waitingCases } from './cases/waiting.ts'
import type { TransportCase } from './transport-case.ts'

/** What every transport does, as far as its capabilities promise it. */
export const transportCases: readonly TransportCase[] = [
  ...orderCases,
  ...settlementCases,
  ...leaseCases,
  ...sessionCases,
  ...waitingCases,
  ...delayCases,
  ...exchangeCases,
  ...liveFanoutCases,
  ...queueCases,
  ...payloadCases,
  ...connectionCases,
  ...durabilityCases,
  ...modelCases,
]
