import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BackendDriver } from '@celery/backend'
import type { Transport } from '@celery/transport'
import { DriverMissingError } from './app-errors.ts'

/** Which of our packages serves which URL scheme, as what. Third parties register theirs on `app.transports` or `app.backends`. */
export const transportPackages: Readonly<Record<string, DriverPackage>> = {
  memory: { package: '@celery/transport-memory', export: 'memory' },
  sqlite: { package: '@celery/transport-sqlite', export: 'sqlite' },
}

export const backendPackages: Readonly<Record<string, DriverPackage>> = {
  memory: { package: '@celery/backend-memory', export: 'memory' },
  'cache+memory': { package: '@celery/backend-memory', export: 'memory' },
  sqlite: { package: '@celery/backend-sqlite', export: 'sqlite' },
}

export interface DriverPackage {
  readonly package: string
  /** Name under which it exports the driver. */
  readonly export: string
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
