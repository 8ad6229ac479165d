import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { inPairs } from './lib/in-pairs.mjs'
import { packWorkspace } from './lib/pack.mjs'
import { capture } from './lib/run.mjs'

/**
 * A public package as it would be published.
 *
 * @typedef {object} Packed
 * @property {string} name
 * @property {string} tarball
 * @property {string} folder where the tarball is unpacked, inside a `node_modules` that holds all of them
 * @property {Record<string, any>} manifest as packed
 */

/**
 * Packs every public package and looks at it as an application would: installed beside the others, without the
 * workspace around it.
 *
 * @param {string} root
 * @returns {Promise<string[]>} a sentence for each problem
 */
export async function checkPackages(root) {
  const temporary = await mkdtemp(join(tmpdir(), 'celery-packages-'))
  try {
    const packages = await unpackAll(root, temporary)
    const changesets = await readChangesets(root)
    const problems = await inPairs(packages, async (each) => [
      ...checkManifest(each, changesets),
      ...(await checkFiles(each)),
      ...(await checkDeclarations(each)),
      ...(await lintPackage(each)),
      ...(await checkRequire(each, temporary)),
      ...(await checkResolution(root, each)),
    ])
    return [...problems, ...(await checkTypes(root, temporary, packages))]
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/**
 * @param {string} root
 * @param {string} temporary
 * @returns {Promise<Packed[]>}
 */
async function unpackAll(root, temporary) {
  return inPairs(await packWorkspace(root, temporary), async ({ name, tarball, source, dependencies }) => {
    const folder = join(temporary, 'node_modules', name)
    await mkdir(folder, { recursive: true })
    await succeed('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1'])
    for (const dependency of Object.keys(dependencies)) await linkForeign(source, temporary, dependency)
    return [{ name, tarball, folder, manifest: await readJson(join(folder, 'package.json')) }]
  })
}

/**
 * Packages that are not ours come from the workspace's installation.
 *
 * @param {string} source
 * @param {string} temporary
 * @param {string} name
 */
async function linkForeign(source, temporary, name) {
  const link = join(temporary, 'node_modules', name)
  if (name.startsWith('@celery/')) return
  await mkdir(dirname(link), { recursive: true })
  await symlink(join(source, 'node_modules', name), link).catch((error) => {
    // Two packages may share a dependency.
    if (error.code !== 'EEXIST') throw error
  })
}

/**
 * @param {Packed} subject
 * @param {string} changesets
 */
function* checkManifest({ name, manifest }, changesets) {
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
    if (manifest.scripts?.[script] !== undefined) yield `${name} runs a script on installation: ${script}`
  }
  for (const field of ['description', 'license', 'repository', 'engines', 'exports', 'files']) {
    if (manifest[field] === undefined) yield `${name} lacks "${field}" in package.json`
  }
  if (manifest.version === '0.0.0' && !changesets.includes(`'${name}':`)) {
    yield `${name} was never released and no changeset names it`
  }
}

/** @param {Packed} subject */
async function checkFiles({ name, folder }) {
  const problems = []
  for (const file of ['README.md', 'LICENSE']) {
    if (!existsSync(join(folder, file))) problems.push(`${name} is packed without ${file}`)
  }
  for (const file of await readdir(folder, { recursive: true })) {
    if (/\.test(?:-d)?\.|\.tsbuildinfo$/.test(file)) problems.push(`${name} is packed with ${file}`)
  }
  return problems
}

/**
 * A public signature with `any` switches the caller's type checks off without saying so.
 *
 * @param {Packed} subject
 */
async function checkDeclarations({ name, folder }) {
  const problems = []
  for (const file of await readdir(join(folder, 'dist'), { recursive: true }).catch(() => [])) {
    if (!file.endsWith('.d.ts')) continue
    const text = await readFile(join(folder, 'dist', file), 'utf8')
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, '')
    // `any` as a type; a member called any, as in AbortSignal.any, is none.
    const line = code.split('\n').find((each) => /(?<![.\w$])any\b(?!\s*[?(:])/.test(each))
    if (line !== undefined) problems.push(`${name} has an any in dist/${file}: ${line.trim()}`)
  }
  return problems
}

/** @param {Packed} subject */
async function lintPackage({ name, folder, manifest }) {
  const { messages } = await publint({ pkgDir: folder, pack: false, strict: true })
  return messages.map((message) => `${name}: ${formatMessage(message, manifest, { color: false })}`)
}

/**
 * `require()` of every entry, which on Node 20.19 works for ESM without top-level await. An entry that is the main
 * module of a process or thread may refuse to load elsewhere, with an error of ours.
 *
 * @param {Packed} subject
 * @param {string} temporary
 */
async function checkRequire({ name, manifest }, temporary) {
  const problems = []
  for (const entry of entriesOf(name, manifest)) {
    const script =
      'try { require(process.argv[1]) } catch (error) {' +
      ' if (!String(error?.code).startsWith("ERR_CELERY_")) { console.error(error); process.exit(1) } } process.exit(0)'
    const { status, output } = await capture(process.execPath, ['-e', script, entry], {
      cwd: temporary,
      timeoutMs: 20_000,
    })
    if (status !== 0) problems.push(`require('${entry}') fails:\n${output.trim()}`)
  }
  return problems
}

/** @param {string} name @param {Record<string, any>} manifest @returns {string[]} */
function entriesOf(name, manifest) {
  return Object.keys(manifest.exports ?? {})
    .filter((path) => path !== './package.json')
    .map((path) => `${name}${path.slice(1)}`)
}

/** Whether every way to resolve an entry finds types. @param {string} root @param {Packed} subject */
async function checkResolution(root, { name, tarball }) {
  const attw = join(root, 'node_modules', '.bin', 'attw')
  const args = ['--profile', 'esm-only', '--format', 'ascii', '--no-emoji', '--no-color', tarball]
  const { status, output } = await capture(attw, args)
  return status === 0 ? [] : [`the types of ${name} do not resolve:\n${output.trim()}`]
}

/**
 * Compiles an application that imports every entry, and checks the declarations themselves: a type that comes from a
 * package which is not a dependency shows here only.
 *
 * @param {string} root
 * @param {string} temporary
 * @param {readonly Packed[]} packages
 */
async function checkTypes(root, temporary, packages) {
  const entries = packages.flatMap(({ name, manifest }) => entriesOf(name, manifest))
  const source = entries.map((entry, index) => `import * as entry${index} from '${entry}'\nvoid entry${index}\n`)
  await writeFile(join(temporary, 'application.mts'), source.join(''))
  await symlink(join(root, 'node_modules', '@types'), join(temporary, 'node_modules', '@types'))
  const settings = {
    compilerOptions: {
      module: 'NodeNext',
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
    },
    files: ['application.mts'],
  }
  await writeFile(join(temporary, 'tsconfig.json'), JSON.stringify(settings))
  const { status, output } = await capture(join(root, 'node_modules', '.bin', 'tsc'), ['-p', temporary])
  return status === 0 ? [] : [`an application that imports every entry does not compile:\n${output.trim()}`]
}

/** @param {string} root */
async function readChangesets(root) {
  const folder = join(root, '.changeset')
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.md'))
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  return texts.join('\n').replaceAll('"', "'")
}

/** @param {string} file */
async function readJson(file) {
  return JSON.parse(await readFile(file, 'utf8'))
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string }} [options]
 */
async function succeed(command, args, options) {
  const { status, output } = await capture(command, args, options)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${status}:\n${output}`)
}
