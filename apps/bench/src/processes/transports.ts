import type { Transport } from '@celery/transport'
import type { Place } from '../places.ts'

/** The driver of each place, loaded by who measures it. */
export const transports: Readonly<Record<Place['transport'], () => Promise<Transport>>> = {
  redis: async () => (await import('@celery/transport-redis')).redis,
  sqlite: async () => (await import('@celery/transport-sqlite')).sqlite,
}
