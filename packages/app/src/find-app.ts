import { isBranded } from './app-brand.ts'
import type { CeleryApp } from './celery-app.ts'
import { moduleExports } from './module-exports.ts'

/**
 * The app that a module exports: `exportName` if given, else the export `app`, else `celery`, else the default export,
 * else the first that is one.
 */
export function findApp(module: Readonly<Record<string, unknown>>, exportName?: string): CeleryApp | undefined {
  const exported = moduleExports(module)
  const names = exportName === undefined ? [...preferred, ...Object.keys(exported)] : [exportName]
  for (const name of names) {
    const value = Object.hasOwn(exported, name) ? exported[name] : undefined
    if (isBranded(value)) return value as CeleryApp
  }
  return undefined
}

const preferred: readonly string[] = ['app', 'celery', 'default']

/** The names of a module's apps, where it exports several and nothing says which one is meant; else none. */
export function ambiguousApps(module: Readonly<Record<string, unknown>>): readonly string[] {
  const apps = Object.entries(moduleExports(module)).filter(([, value]) => isBranded(value))
  if (new Set(apps.map(([, app]) => app)).size < 2) return []
  const names = apps.map(([name]) => name)
  return preferred.some((name) => names.includes(name)) ? [] : names
}
