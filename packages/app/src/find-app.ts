import { CeleryApp } from './celery-app.ts'

/**
 * The app that a module exports: `exportName` if given, else the export `app`, else `celery`, else the default export,
 * else the first that is one.
 */
export function findApp(module: Readonly<Record<string, unknown>>, exportName?: string): CeleryApp | undefined {
  const names = exportName === undefined ? [...preferred, ...Object.keys(module)] : [exportName]
  for (const name of names) {
    const value = Object.hasOwn(module, name) ? module[name] : undefined
    if (CeleryApp.is(value)) return value
  }
  return undefined
}

const preferred: readonly string[] = ['app', 'celery', 'default']

/** The names of a module's apps, where it exports several and nothing says which one is meant; else none. */
export function ambiguousApps(module: Readonly<Record<string, unknown>>): readonly string[] {
  const apps = Object.entries(module).filter(([, value]) => CeleryApp.is(value))
  if (new Set(apps.map(([, app]) => app)).size < 2) return []
  const names = apps.map(([name]) => name)
  return preferred.some((name) => names.includes(name)) ? [] : names
}
