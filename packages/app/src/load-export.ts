import { importModule } from './import-module.ts'
import { findModule } from './import-modules.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'

/**
 * What `./proj/routes.ts:video` names: an export of a module; without a name, its default export.
 * @throws ModuleNotFoundError, UnreadableModuleError; ImproperlyConfiguredError where the module exports no such thing.
 */
export async function loadExport(setting: string, path: string): Promise<unknown> {
  const match = /^(.{2,}):([\p{ID_Start}$_][\p{ID_Continue}$]*)$/u.exec(path)
  const [module, name] = match === null ? [path, 'default'] : [match[1] as string, match[2] as string]
  const exported = await importModule(findModule(module))
  if (Object.hasOwn(exported, name)) return exported[name]
  throw new ImproperlyConfiguredError(setting, `${setting}: ${module} has no export "${name}"`)
}
