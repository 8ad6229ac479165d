// Verifies that the packages keep to the layers: who may import whom, and that manifests, project references and
// import statements all tell the same story. Part of every build; it has no dependencies and takes some milliseconds.

import { readdir, readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join, posix, relative, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './lib/paths.mjs'
import { workspaceFolders } from './lib/workspace.mjs'

/**
 * Lowest first. A package imports only packages of lower layers, plus those that {@link arrows} names.
 * A new package is added here first.
 *
 * @type {readonly { readonly name: string, readonly packages: readonly string[] }[]}
 */
const layers = [
  {
    name: 'leaves',
    packages: [
      '@celery/promises',
      '@celery/process-pool',
      '@celery/bootsteps',
      '@celery/schedules',
      '@celery/sqlite',
      '@celery/redis',
    ],
  },
  { name: 'wire', packages: ['@celery/serialization', '@celery/protocol'] },
  { name: 'driver half', packages: ['@celery/transport', '@celery/backend'] },
  { name: 'drivers', packages: ['@celery/transport-*', '@celery/backend-*'] },
  {
    name: 'user half',
    packages: ['@celery/results', '@celery/messaging', '@celery/events', '@celery/control', '@celery/backend-rpc'],
  },
  { name: 'canvas', packages: ['@celery/canvas'] },
  { name: 'app', packages: ['@celery/app', '@celery/security'] },
  { name: 'programs', packages: ['@celery/worker', '@celery/beat', '@celery/testing', '@celery/cli'] },
  { name: 'meta', packages: ['celery'] },
  { name: 'apps', packages: ['@celery/test-servers', '@celery-apps/*'] },
]

/** Imports inside one layer, and of drivers that a package is made of: each key may import these packages. */
const arrows = new Map([
  ['@celery/process-pool', ['@celery/promises']],
  ['@celery/bootsteps', ['@celery/promises']],
  ['@celery/schedules', ['@celery/promises']],
  ['@celery/sqlite', ['@celery/promises']],
  ['@celery/redis', ['@celery/promises']],
  ['@celery/protocol', ['@celery/serialization']],
  ['@celery/backend-rpc', ['@celery/messaging']],
  ['@celery/testing', ['@celery/worker', '@celery/transport-memory', '@celery/backend-memory']],
  ['@celery/cli', ['@celery/worker', '@celery/beat', '@celery/testing']],
  ['@celery-apps/*', ['@celery/test-servers']],
])

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {boolean} [private]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, { optional?: boolean }>} [peerDependenciesMeta]
 * @property {Record<string, string>} [devDependencies]
 *
 * @typedef {object} Import
 * @property {string} specifier
 * @property {boolean} isDynamic `import()`, which loads only when it runs
 *
 * @typedef {object} SourceFile
 * @property {string} path relative to the package, with `/`
 * @property {readonly Import[]} imports
 *
 * @typedef {object} Package
 * @property {string} folder relative to the root, with `/`
 * @property {Manifest} manifest
 * @property {readonly string[]} references project references as folders relative to the root, with `/`
 * @property {readonly SourceFile[]} files
 *
 * @typedef {object} Workspace
 * @property {readonly string[]} rootReferences
 * @property {readonly string[]} rootDevDependencies tools that every test may import
 * @property {readonly Package[]} packages
 */

/**
 * @param {Workspace} workspace
 * @returns {string[]} a sentence for each violation; none when all is well
 */
export function findViolations(workspace) {
  const byName = new Map(workspace.packages.map((each) => [each.manifest.name, each]))
  return [
    ...workspace.packages.flatMap((each) => [
      ...checkDependencies(each, byName),
      ...checkReferences(each, byName),
      ...checkImports(each, workspace.rootDevDependencies),
    ]),
    ...checkRootReferences(workspace),
    ...findCircles(workspace.packages, byName),
  ]
}

/**
 * @param {Package} subject
 * @param {ReadonlyMap<string, Package>} byName
 */
function* checkDependencies({ manifest }, byName) {
  if (rankOf(manifest.name) === undefined) {
    yield `${manifest.name} is in no layer: name it in scripts/check-layers.mjs`
    return
  }
  for (const [kind, dependencies] of Object.entries({
    dependencies: manifest.dependencies ?? {},
    peerDependencies: manifest.peerDependencies ?? {},
  })) {
    for (const name of Object.keys(dependencies)) {
      if (rankOf(name) === undefined || (isDriver(name) && isOptionalPeer(manifest, name))) continue
      const reason = whyForbidden(manifest.name, name)
      if (reason !== undefined) yield `${manifest.name} must not depend on ${name}: ${reason}`
    }
    if (kind === 'dependencies') yield* checkVersions(manifest.name, dependencies, byName)
  }
  yield* checkVersions(manifest.name, manifest.devDependencies ?? {}, byName)
}

/**
 * @param {string} subject
 * @param {Record<string, string>} dependencies
 * @param {ReadonlyMap<string, Package>} byName
 */
function* checkVersions(subject, dependencies, byName) {
  for (const [name, version] of Object.entries(dependencies)) {
    if (byName.has(name)) {
      if (version !== 'workspace:^') yield `${subject} asks for ${name}@${version}: siblings are taken as workspace:^`
    } else if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version)) {
      yield `${subject} asks for ${name}@${version}: other packages are pinned to one exact version`
    }
  }
}

/**
 * @param {string} from
 * @param {string} to
 * @returns {string | undefined} nothing if the arrow is allowed
 */
function whyForbidden(from, to) {
  const fromLayer = layers[rankOf(from) ?? 0]
  const toLayer = layers[rankOf(to) ?? 0]
  const allowed = arrows.get(from) ?? arrows.get(patternFor(from) ?? '')
  if (allowed?.includes(to)) return undefined
  if (isDriver(from) && toLayer?.name === 'driver half') {
    const half = from.startsWith('@celery/transport-') ? '@celery/transport' : '@celery/backend'
    return to === half ? undefined : `of the driver half it may use ${half} only`
  }
  // Drivers are loaded by name when a URL asks for them, so only what bundles a set of them depends on one.
  if (isDriver(to) && fromLayer?.name !== 'meta' && fromLayer?.name !== 'apps') {
    return isDriver(from) ? 'drivers do not know each other' : 'drivers are optional, and wired by the celery package'
  }
  if (fromLayer === toLayer) {
    return `both are in the layer "${fromLayer?.name}" and no arrow leads there`
  }
  if ((rankOf(from) ?? 0) > (rankOf(to) ?? 0)) return undefined
  return `"${toLayer?.name}" is above "${fromLayer?.name}"`
}

/** @param {string} name @returns {number | undefined} */
function rankOf(name) {
  const exact = layers.findIndex((layer) => layer.packages.includes(name))
  if (exact !== -1) return exact
  const pattern = patternFor(name)
  return pattern === undefined ? undefined : layers.findIndex((layer) => layer.packages.includes(pattern))
}

/** @param {string} name */
function patternFor(name) {
  return layers
    .flatMap((layer) => layer.packages)
    .find((pattern) => pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1)))
}

/** @param {string} name */
function isDriver(name) {
  const rank = rankOf(name)
  return rank !== undefined && layers[rank]?.name === 'drivers'
}

/** @param {Manifest} manifest @param {string} name */
function isOptionalPeer(manifest, name) {
  return manifest.dependencies?.[name] === undefined && manifest.peerDependenciesMeta?.[name]?.optional === true
}

/**
 * The compiler builds along references, pnpm links along dependencies: when they differ, a build works by luck.
 *
 * @param {Package} subject
 * @param {ReadonlyMap<string, Package>} byName
 */
function* checkReferences(subject, byName) {
  const { manifest, references } = subject
  const expected = siblingsOf(subject, byName).map((each) => each.folder)
  for (const folder of expected) {
    if (!references.includes(folder)) yield `${manifest.name} depends on ${folder} without a reference in tsconfig.json`
  }
  for (const folder of references) {
    if (!expected.includes(folder)) yield `${manifest.name} has a reference to ${folder} but no dependency on it`
  }
}

/**
 * @param {Package} subject
 * @param {ReadonlyMap<string, Package>} byName
 * @returns {Package[]}
 */
function siblingsOf({ manifest }, byName) {
  const names = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.devDependencies })
  return names.flatMap((name) => {
    const sibling = byName.get(name)
    return sibling === undefined || isOptionalPeer(manifest, name) ? [] : [sibling]
  })
}

/**
 * @param {Package} subject
 * @param {readonly string[]} rootDevDependencies
 */
function* checkImports({ folder, manifest, files }, rootDevDependencies) {
  const shipped = new Set([manifest.name, ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })])
  const forTests = new Set([...shipped, ...Object.keys(manifest.devDependencies ?? {}), ...rootDevDependencies])
  for (const { path, imports } of files) {
    const place = `${folder}/${path}`
    const allowed = isTestFile(path) ? forTests : shipped
    for (const { specifier, isDynamic } of imports) {
      if (specifier.startsWith('.')) {
        const target = posix.normalize(posix.join(posix.dirname(path), specifier))
        if (target.startsWith('../')) yield `${place} imports ${specifier}, which is outside of its package`
      } else if (isBuiltin(specifier)) {
        if (!specifier.startsWith('node:')) yield `${place} imports ${specifier}: write node:${specifier}`
      } else {
        const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
        if (!allowed.has(name)) yield `${place} imports ${name}, which its package.json does not list`
        else if (!isDynamic && !isTestFile(path) && isOptionalPeer(manifest, name)) {
          yield `${place} imports ${name}, an optional peer, at load time: use import()`
        }
      }
    }
  }
}

/** @param {string} path */
function isTestFile(path) {
  return /\.test(?:-d)?\.ts$/.test(path) || !path.startsWith('src/')
}

/** @param {Workspace} workspace */
function* checkRootReferences({ rootReferences, packages }) {
  for (const { folder } of packages) {
    if (!rootReferences.includes(folder)) yield `${folder} is not built: add it to the references of tsconfig.json`
  }
  for (const folder of rootReferences) {
    if (!packages.some((each) => each.folder === folder))
      yield `tsconfig.json references ${folder}, which is no package`
  }
}

/**
 * @param {readonly Package[]} packages
 * @param {ReadonlyMap<string, Package>} byName
 */
function* findCircles(packages, byName) {
  const finished = new Set()
  /** @type {Package[]} */
  const path = []
  /** @param {Package} subject @returns {Generator<string, void>} */
  function* visit(subject) {
    if (finished.has(subject)) return
    const start = path.indexOf(subject)
    if (start !== -1) {
      const names = [...path.slice(start), subject].map((each) => each.manifest.name)
      yield `packages depend on each other in a circle: ${names.join(' -> ')}`
      return
    }
    path.push(subject)
    for (const sibling of siblingsOf(subject, byName)) yield* visit(sibling)
    path.pop()
    finished.add(subject)
  }
  for (const each of packages) yield* visit(each)
}

/**
 * @param {string} rootFolder
 * @returns {Promise<Workspace>}
 */
export async function readWorkspace(rootFolder) {
  const manifest = await readJson(join(rootFolder, 'package.json'))
  return {
    rootReferences: await readReferences(rootFolder, rootFolder),
    rootDevDependencies: Object.keys(manifest.devDependencies ?? {}),
    packages: await Promise.all(
      (await workspaceFolders(rootFolder)).map(async (folder) => ({
        folder,
        manifest: await readJson(join(rootFolder, folder, 'package.json')),
        references: await readReferences(rootFolder, join(rootFolder, folder)),
        files: await readSources(join(rootFolder, folder)),
      })),
    ),
  }
}

/** @param {string} file */
async function readJson(file) {
  return JSON.parse(await readFile(file, 'utf8'))
}

/** @param {string} rootFolder @param {string} folder */
async function readReferences(rootFolder, folder) {
  /** @type {{ references?: { path: string }[] }} */
  const { references = [] } = await readJson(join(folder, 'tsconfig.json'))
  return references.map(({ path }) => relative(rootFolder, resolve(folder, path)).replaceAll(sep, '/'))
}

/** @param {string} folder @returns {Promise<SourceFile[]>} */
async function readSources(folder) {
  const files = []
  for (const part of ['src', 'test', 'examples']) {
    const names = await readdir(join(folder, part), { recursive: true }).catch(() => [])
    for (const name of names.filter((each) => each.endsWith('.ts')).sort()) {
      const imports = findImports(await readFile(join(folder, part, name), 'utf8'))
      files.push({ path: `${part}/${name.replaceAll(sep, '/')}`, imports })
    }
  }
  return files
}

/** Comments and the three kinds of strings, matched together so that none is looked for inside another. */
const notCode = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|`(?:\\[\s\S]|[^`\\])*`|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g

/**
 * The modules a source file names, from `import … from`, `export … from`, `import '…'` and `import('…')`. Those that stand in
 * a comment or inside a string are not code.
 *
 * @param {string} source
 * @returns {Import[]}
 */
export function findImports(source) {
  /** @type {string[]} */
  const strings = []
  const code = source.replace(notCode, (text) => {
    if (text.startsWith('/') || text.startsWith('`')) return ''
    return `'${strings.push(text.slice(1, -1)) - 1}'`
  })
  const atLoad = /^[ \t]*(?:import|export)\s(?:[^';=]*?\sfrom\s*|\s*)'(\d+)'/gm
  const later = /\bimport\(\s*'(\d+)'/g
  return [
    ...[...code.matchAll(atLoad)].map((match) => ({ specifier: strings[Number(match[1])] ?? '', isDynamic: false })),
    ...[...code.matchAll(later)].map((match) => ({ specifier: strings[Number(match[1])] ?? '', isDynamic: true })),
  ]
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const violations = findViolations(await readWorkspace(root))
  for (const violation of violations) console.error(violation)
  process.exitCode = violations.length === 0 ? 0 : 1
}
