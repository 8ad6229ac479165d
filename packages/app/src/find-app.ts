import { CeleryApp } from './celery-app.ts'

/**
 * The app that a module exports: `exportName` if given, else the export `app`, else `celery`, else the default export,
 * else the first that is one.
 */
export function findApp(module: Readonly<Record<string, unknown>>, exportName?: string): CeleryApp | undefined {
  const names = exportName === undefined ? ['app', 'celery', 'default', ...Object.keys(module)] : [exportName]
  for (const name of names) {
    const value = Object.hasOwn(module, name) ? module[name] : undefined
    if (CeleryApp.is(value)) return value
  }
  return undefined
}
