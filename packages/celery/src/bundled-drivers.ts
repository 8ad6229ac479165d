import type { BackendDriver } from '@celery/backend'
import type { Transport } from '@celery/transport'

/** The drivers that come with this package, by the package they are in, loaded when a URL names them. */
export const bundledTransports: ReadonlyMap<string, () => Promise<Transport>> = new Map([
  ['@celery/transport-memory', async () => (await import('@celery/transport-memory')).memory],
  ['@celery/transport-sqlite', async () => (await import('@celery/transport-sqlite')).sqlite],
])

export const bundledBackends: ReadonlyMap<string, () => Promise<BackendDriver>> = new Map([
  ['@celery/backend-memory', async () => (await import('@celery/backend-memory')).memory],
  ['@celery/backend-sqlite', async () => (await import('@celery/backend-sqlite')).sqlite],
])
