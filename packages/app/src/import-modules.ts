import { statSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { importModule } from './import-module.ts'
import { ModuleNotFoundError } from './setup-errors.ts'

/**
 * Imports modules in order, for `imports`, `include` and `-I`: paths from the working directory (`tasks.mjs`,
 * `./proj/tasks.ts`), else packages installed there (`proj/tasks`), or URLs. What is named `.ts` may be the `.js` of a build.
 * @throws ModuleNotFoundError, UnreadableModuleError; what a module itself throws comes through as it is.
 */
export async function importModules(modules: readonly string[]): Promise<void> {
  for (const name of modules) await importModule(findModule(name))
}

/** The URL of a module named as in {@link importModules}. @throws ModuleNotFoundError */
export function findModule(name: string): string {
  if (name.startsWith('data:') || isBuiltin(name)) return name
  const file = name.startsWith('file:') ? fileURLToPath(name) : resolve(name)
  if (isFile(file)) return name.startsWith('file:') ? name : pathToFileURL(file).href
  const built = file.replace(/(?<=\.[cm]?)ts$/, 'js')
  if (isFile(built)) return pathToFileURL(built).href
  if (name.startsWith('file:') || name.startsWith('.') || isAbsolute(name)) throw new ModuleNotFoundError(name, [file])
  const folder = process.cwd()
  try {
    return pathToFileURL(createRequire(join(folder, 'package.json')).resolve(name)).href
  } catch (cause) {
    throw new ModuleNotFoundError(name, [file, `a package of that name installed in ${folder}`], { cause })
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}
