import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Imports modules in order: URLs, paths from the working directory, or package names. */
export async function importModules(modules: readonly string[]): Promise<void> {
  for (const name of modules) await import(moduleUrl(name))
}

function moduleUrl(name: string): string {
  if (name.startsWith('file:') || name.startsWith('node:')) return name
  if (isAbsolute(name) || name.startsWith('.')) return pathToFileURL(resolve(name)).href
  return pathToFileURL(createRequire(join(process.cwd(), 'package.json')).resolve(name)).href
}
