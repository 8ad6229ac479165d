import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, parse, resolve } from 'node:path'
import { closestName } from '@celery/promises'
import { UsageError } from './usage-error.ts'

/** What `-A` names: a module and, after a colon, which of its exports is the app. */
export interface AppLocation {
  readonly file: string
  readonly exportName: string | undefined
}

const extensions = ['.ts', '.mts', '.js', '.mjs', '.cjs'] as const
/** Tried inside a folder, in this order; `celery` is where Celery projects keep the app. */
const insideFolder = ['celery', 'app', 'index'] as const

/**
 * Finds the module of `-A`: a path with or without extension, or a dotted name as in Python (`proj.celery`), and
 * optionally `:name` for the export, which may also end a dotted name (`proj.celery.app`).
 * @throws UsageError that lists where it was looked for.
 */
export function findAppModule(spec: string, from: string): AppLocation {
  const colon = spec.lastIndexOf(':')
  // A single letter before the colon is a Windows drive.
  const [name, exportName] = colon > 1 ? [spec.slice(0, colon), spec.slice(colon + 1)] : [spec, undefined]
  const tried: string[] = []
  const dotted = name.replaceAll('.', '/')
  for (const candidate of name === dotted || existsSync(resolve(from, name)) ? [name] : [name, dotted]) {
    const file = findFile(resolve(from, candidate), tried)
    if (file !== undefined) return { file, exportName }
  }
  const attribute = exportName === undefined ? /^([^/\\]+)\.(\w+)$/.exec(name) : null
  if (attribute !== null) {
    const [, module = '', last] = attribute
    const file = findFile(resolve(from, module.replaceAll('.', '/')), tried)
    if (file !== undefined) return { file, exportName: last }
  }
  const meant = closestModule(name, from) ?? closestModule(dotted, from)
  const suffix = exportName === undefined ? '' : `:${exportName}`
  throw new UsageError(
    `cannot find the app module "${name}" (-A). Looked for:\n${tried.map((path) => `  ${path}`).join('\n')}\n` +
      (meant === undefined
        ? 'Give the path of the module that creates the app, for example: -A ./tasks.ts'
        : `Did you mean -A ${meant}${suffix}?`),
  )
}

/** The module in the same folder whose name, with or without another extension, is nearest, as a path like `path`. */
function closestModule(path: string, from: string): string | undefined {
  const wanted = stemOf(basename(path))
  const files = modulesIn(resolve(from, dirname(path)))
  const stem = closestName(wanted, files.map(stemOf))
  if (stem === undefined) return undefined
  const same = files.filter((file) => stemOf(file) === stem)
  const file = same.find((each) => parse(each).ext === parse(path).ext) ?? same[0]
  return file === undefined ? undefined : join(dirname(path), file)
}

/** None where the folder is not there, or may not be read. */
function modulesIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.isDirectory())
    return entries.map(({ name }) => name).filter((name) => stemOf(name) !== name && !/\.d\.[cm]?ts$/.test(name))
  } catch {
    return []
  }
}

/** Without the extension of a module; another one belongs to the name. */
function stemOf(name: string): string {
  const extension = extensions.find((each) => name.endsWith(each))
  return extension === undefined ? name : name.slice(0, -extension.length)
}

/** The module `celery` in the folder of the same name as the module, or beside an `index`. */
export function findModuleBelow(file: string): string | undefined {
  const { dir, name } = parse(file)
  const folder = name === 'index' ? dir : join(dir, name)
  return extensions
    .map((extension) => join(folder, `celery${extension}`))
    .find((path) => path !== file && existsSync(path))
}

function findFile(path: string, tried: string[]): string | undefined {
  const candidates = [
    path,
    ...extensions.map((extension) => path + extension),
    ...insideFolder.flatMap((name) => extensions.map((extension) => join(path, name + extension))),
  ]
  for (const candidate of candidates) {
    if (existsSync(candidate) && statSync(candidate).isFile()) return candidate
    if (existsSync(dirname(candidate))) tried.push(candidate)
  }
  return undefined
}
