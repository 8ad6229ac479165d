import { type Dirent, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ModuleNotFoundError } from './setup-errors.ts'

const extensions = ['.ts', '.mts', '.js', '.mjs', '.cjs'] as const

/**
 * The modules that the entries stand for, as URLs: a glob (`src/**\/tasks.ts`, `apps/*`), a folder or an installed
 * package, which stand for their module `relatedName`, or with `null` for their own. A folder or package without such a
 * module is passed over. `node_modules` and folders that begin with a dot are not looked into.
 * @throws ModuleNotFoundError for an entry that is nothing of it.
 */
export function discoverModules(entries: readonly string[], relatedName: string | null, root: string): string[] {
  return [...new Set(entries.flatMap((entry) => modulesOf(entry, relatedName, root)))]
}

function modulesOf(entry: string, relatedName: string | null, root: string): string[] {
  if (entry.includes('*')) {
    return matchingPaths(root, entry.replace(/^\.\//, '').split('/'))
      .sort()
      .flatMap((path) => (isFolder(path) ? moduleOfFolder(path, relatedName) : [pathToFileURL(path).href]))
  }
  const folders = [resolve(root, entry), resolve(root, entry.replaceAll('.', '/'))]
  const folder = folders.find(isFolder)
  if (folder !== undefined) return moduleOfFolder(folder, relatedName)
  return moduleOfPackage(entry, relatedName, root)
}

function moduleOfFolder(folder: string, relatedName: string | null): string[] {
  const file = extensions.map((extension) => join(folder, `${relatedName ?? 'index'}${extension}`)).find(isFile)
  return file === undefined ? [] : [pathToFileURL(file).href]
}

function moduleOfPackage(name: string, relatedName: string | null, root: string): string[] {
  const require = createRequire(join(root, 'package.json'))
  const found = resolveWith(require, relatedName === null ? name : `${name}/${relatedName}`)
  if (found !== undefined) return [found]
  if (resolveWith(require, name) !== undefined || resolveWith(require, `${name}/package.json`) !== undefined) return []
  throw new ModuleNotFoundError(name, [resolve(root, name), `a package of that name installed in ${root}`])
}

function resolveWith(require: NodeJS.Require, specifier: string): string | undefined {
  try {
    return pathToFileURL(require.resolve(specifier)).href
  } catch {
    // Not installed, or not exported: for us the same.
    return undefined
  }
}

/** `**` is any number of folders, `*` a part of a name. */
function matchingPaths(folder: string, [segment, ...rest]: readonly string[]): string[] {
  if (segment === undefined) return [folder]
  if (segment === '**') {
    const below = entriesOf(folder).filter((entry) => entry.isDirectory())
    return [
      ...matchingPaths(folder, rest),
      ...below.flatMap((entry) => matchingPaths(join(folder, entry.name), ['**', ...rest])),
    ]
  }
  const pattern = new RegExp(`^${segment.split('*').map(escaped).join('[^/]*')}$`)
  return entriesOf(folder)
    .filter((entry) => pattern.test(entry.name) && (rest.length === 0 || entry.isDirectory()))
    .flatMap((entry) => matchingPaths(join(folder, entry.name), rest))
}

function entriesOf(folder: string): Dirent[] {
  if (!isFolder(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).filter(
    ({ name }) => !name.startsWith('.') && name !== 'node_modules',
  )
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
