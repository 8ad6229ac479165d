import { pathToFileURL } from 'node:url'
import type { Celery } from '@celery/app'
import { ambiguousApps, exportNames, findApp } from '@celery/app/internal'
import { AppImportError } from './cli-errors.ts'
import { type AppLocation, findAppModule, findModuleBelow } from './find-module.ts'
import { prepareFor } from './load-typescript.ts'
import { UsageError } from './usage-error.ts'

export interface LoadedApp {
  readonly app: Celery
  /** The module that it came from; `undefined` for one that was made without a module. */
  readonly location: AppLocation | undefined
}

/**
 * Imports the module of `-A` and finds the app in it. TypeScript is loaded by Node itself where it can, else by tsx.
 * @throws UsageError where there is no such module or no app in it; AppImportError for one that throws.
 */
export async function loadApp(spec: string, from: string = process.cwd()): Promise<LoadedApp> {
  const named = await loadModule(findAppModule(spec, from))
  const found = findIn(named) ?? (await findBelow(named))
  if (found === undefined) throw new UsageError(describeMissing(named))
  await found.app.configure()
  return found
}

interface LoadedModule {
  readonly location: AppLocation
  readonly module: Readonly<Record<string, unknown>>
}

async function loadModule(location: AppLocation): Promise<LoadedModule> {
  await prepareFor(location.file)
  return { location, module: await importFile(location.file) }
}

function findIn({ location, module }: LoadedModule): LoadedApp | undefined {
  const several = location.exportName === undefined ? ambiguousApps(module) : []
  if (several.length > 0) {
    throw new UsageError(
      `${location.file} exports several apps: ${several.join(', ')}. Name one: -A ${location.file}:${several[0]}`,
    )
  }
  const app = findApp(module, location.exportName)
  return app === undefined ? undefined : { app, location }
}

/** As in Celery, the module `celery` below one that has no app itself. */
async function findBelow({ location: { exportName, file } }: LoadedModule): Promise<LoadedApp | undefined> {
  const below = exportName === undefined ? findModuleBelow(file) : undefined
  return below === undefined ? undefined : findIn(await loadModule({ file: below, exportName }))
}

async function importFile(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
  } catch (error) {
    throw new AppImportError(file, error)
  }
}

function describeMissing({ location, module }: LoadedModule): string {
  const exports = exportNames(module)
  const found = exports.length === 0 ? 'it exports nothing' : `it exports ${exports.join(', ')}`
  const wanted = location.exportName === undefined ? 'no Celery app' : `no Celery app named "${location.exportName}"`
  return `${location.file} exports ${wanted}; ${found}. Export it: export const app = new Celery('name')`
}
