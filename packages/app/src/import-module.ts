import { moduleExports } from './module-exports.ts'
import { moduleHint } from './module-hint.ts'
import { UnreadableModuleError } from './setup-errors.ts'

/**
 * Imports a module by its URL and gives its exports by name, those of CommonJS too.
 * @throws UnreadableModuleError; what the module itself throws comes through as it is.
 */
export async function importModule(url: string): Promise<Readonly<Record<string, unknown>>> {
  let namespace: Readonly<Record<string, unknown>>
  try {
    namespace = await import(url)
  } catch (error) {
    const hint = moduleHint(error)
    throw hint === undefined ? error : new UnreadableModuleError(url, hint, error)
  }
  return moduleExports(namespace)
}
