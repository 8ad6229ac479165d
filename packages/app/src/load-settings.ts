import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { importModule } from './import-module.ts'
import { findModule } from './import-modules.ts'
import { ImproperlyConfiguredError, ModuleNotFoundError } from './setup-errors.ts'

const extensions = ['', '.ts', '.mts', '.js', '.mjs', '.cjs', '.json'] as const

/**
 * The settings of a module: what it exports by default, else its other exports. After a colon, the name of one export:
 * `./celery.config.js:production`. Its extension may be left out; `.json` is read as it is.
 * @throws ModuleNotFoundError, UnreadableModuleError; ImproperlyConfiguredError where it exports no settings.
 */
export async function loadSettings(module: string | URL): Promise<object> {
  const [name, exportName] = splitExport(String(module))
  const url = findSettingsModule(name)
  const exported = await importSettings(url)
  const found = exportName === undefined ? (exported['default'] ?? { ...exported }) : exported[exportName]
  if (typeof found === 'object' && found !== null) return found
  const wanted = exportName === undefined ? 'no settings' : `no settings named "${exportName}"`
  throw new ImproperlyConfiguredError(name, `${name} exports ${wanted}; export an object of settings`)
}

/** A colon of a URL, or after a Windows drive, has a slash behind it. */
function splitExport(spec: string): [string, string | undefined] {
  const match = /^(.{2,}):([\p{ID_Start}$_][\p{ID_Continue}$]*)$/u.exec(spec)
  return match === null ? [spec, undefined] : [match[1] ?? '', match[2]]
}

function findSettingsModule(name: string): string {
  let missing: ModuleNotFoundError | undefined
  for (const extension of extensions) {
    try {
      return findModule(name + extension)
    } catch (error) {
      if (!(error instanceof ModuleNotFoundError)) throw error
      missing ??= error
    }
  }
  throw missing
}

async function importSettings(url: string): Promise<Readonly<Record<string, unknown>>> {
  if (!url.startsWith('file:') || !url.endsWith('.json')) return importModule(url)
  const file = fileURLToPath(url)
  try {
    return { default: JSON.parse(readFileSync(file, 'utf8')) }
  } catch (error) {
    throw new ImproperlyConfiguredError(file, `${file} is no JSON: ${(error as Error).message}`)
  }
}
