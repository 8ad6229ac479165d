import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BackendDriver, BackendRegistry } from '@celery/backend'
import type { TransportRegistry } from '@celery/messaging'
import type { Transport } from '@celery/transport'
import { DriverMissingError } from './setup-errors.ts'

/** Which of our packages serves which URL scheme, as what. Third parties register theirs on `app.transports` or `app.backends`. */
export const transportPackages: Readonly<Record<string, DriverPackage>> = {
  memory: { package: '@celery/transport-memory', export: 'memory' },
  sqlite: { package: '@celery/transport-sqlite', export: 'sqlite' },
  ...redisSchemes('@celery/transport-redis'),
}

export const backendPackages: Readonly<Record<string, DriverPackage>> = {
  memory: { package: '@celery/backend-memory', export: 'memory' },
  'cache+memory': { package: '@celery/backend-memory', export: 'memory' },
  sqlite: { package: '@celery/backend-sqlite', export: 'sqlite' },
  ...redisSchemes('@celery/backend-redis'),
}

/** One server, one behind sentinels, a cluster, and a socket in the file system; the same for messages and results. */
function redisSchemes(name: string): Record<string, DriverPackage> {
  const schemes = ['redis', 'rediss', 'sentinel', 'redis+cluster', 'rediss+cluster', 'redis+socket', 'socket', 'unix']
  return Object.fromEntries(schemes.map((scheme) => [scheme, { package: name, export: 'redis' }]))
}

export interface DriverPackage {
  readonly package: string
  /** Name under which it exports the driver. */
  readonly export: string
}

/** Lets an app find our drivers among the packages installed at `root`. */
export function registerDrivers(transports: TransportRegistry, backends: BackendRegistry, root: string): void {
  for (const [scheme, driver] of Object.entries(transportPackages)) {
    transports.register(scheme, () => importTransport(driver, scheme, root))
  }
  for (const [scheme, driver] of Object.entries(backendPackages)) {
    backends.register(scheme, () => importBackend(driver, scheme, root))
  }
}

/**
 * Imports a driver from the application's own dependencies, since it is the application that installs drivers.
 * @throws DriverMissingError naming the package to install.
 */
export async function importTransport(driver: DriverPackage, scheme: string, root: string): Promise<Transport> {
  return (await importDriver(driver, scheme, root)) as Transport
}

/** As {@link importTransport}, for result stores. */
export async function importBackend(driver: DriverPackage, scheme: string, root: string): Promise<BackendDriver> {
  return (await importDriver(driver, scheme, root)) as BackendDriver
}

async function importDriver(driver: DriverPackage, scheme: string, root: string): Promise<unknown> {
  let resolved: string
  try {
    resolved = createRequire(join(root, 'package.json')).resolve(driver.package)
  } catch (cause) {
    throw new DriverMissingError(`${scheme}://`, driver.package, { cause })
  }
  const module = (await import(pathToFileURL(resolved).href)) as Record<string, unknown>
  return module[driver.export]
}
