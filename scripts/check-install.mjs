import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packWorkspace } from './lib/pack.mjs'
import { capture } from './lib/run.mjs'

/**
 * What a user installs, what may come with it, and a program that uses it.
 *
 * @typedef {object} Installation
 * @property {readonly string[]} packages
 * @property {boolean} onlyOurs - no other driver comes with it, and no foreign package
 * @property {readonly string[]} [installScripts] - packages that may have one, and do without
 * @property {string} program
 * @property {readonly string[]} [command] - is run besides, where `tasks.ts` is
 * @property {string} prints
 */

/** @type {readonly Installation[]} */
const installations = [
  {
    packages: ['@celery/app', '@celery/transport-memory', '@celery/backend-memory'],
    onlyOurs: true,
    program: `
      import { Celery } from '@celery/app'
      const app = new Celery('installed', { broker: 'memory://', backend: 'memory://' })
      const add = app.task('add', (x, y) => x + y)
      const result = await add.delay(2, 2)
      console.log(await result.state(), await add(4, 4))
      await app.close()`,
    prints: 'PENDING 8',
  },
  {
    packages: ['celery'],
    onlyOurs: false,
    // That of tsx, which the command needs where Node does not read TypeScript itself.
    installScripts: ['esbuild'],
    command: ['node_modules/.bin/celery', '-A', 'tasks.ts', '-q', 'call', 'add', '--args', '[1, 2]'],
    program: `
      import { Celery } from 'celery'
      const app = new Celery('installed', { notify() {} })
      const add = app.task('add', (x, y) => x + y)
      const worker = await app.startWorker()
      console.log(await (await add.delay(4, 4)).get({ timeout: 20 }))
      await worker.stop()
      await app.close()`,
    prints: '8',
  },
]

/**
 * Installs the packages as npm would get them from a registry, in empty folders, and uses them there.
 *
 * @param {string} root
 * @returns {Promise<string[]>} a sentence for each problem
 */
export async function checkInstall(root) {
  const temporary = await mkdtemp(join(tmpdir(), 'celery-install-'))
  try {
    const tarballs = new Map(
      (await packWorkspace(root, temporary)).map(({ name, tarball }) => [name, `file:${tarball}`]),
    )
    const problems = []
    for (const [index, installation] of installations.entries()) {
      const folder = join(temporary, `application-${index}`)
      problems.push(...(await install(folder, tarballs, installation)))
    }
    problems.push(...(await installAll(join(temporary, 'all'), [...tarballs.values()])))
    return problems
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/**
 * @param {string} folder
 * @param {ReadonlyMap<string, string>} tarballs
 * @param {Installation} installation
 */
async function install(folder, tarballs, { command, installScripts = [], packages, onlyOurs, program, prints }) {
  const title = packages.join(' + ')
  await mkdir(folder)
  const dependencies = Object.fromEntries(packages.map((name) => [name, tarballs.get(name)]))
  // What the packages themselves depend on comes from the same place; a registry would have it by then.
  const overrides = Object.fromEntries([...tarballs].filter(([name]) => !packages.includes(name)))
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies, overrides }),
  )
  await writeFile(join(folder, 'program.js'), program)
  await writeFile(join(folder, 'tasks.ts'), tasks)
  const npm = await capture('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder })
  if (npm.status !== 0) return [`npm cannot install ${title}:\n${npm.output.trim()}`]
  const problems = []
  const lock = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8'))
  for (const [path, { hasInstallScript }] of Object.entries(lock.packages)) {
    const name = path.replace(/^.*node_modules\//, '')
    if (path === '') continue
    if (onlyOurs && !name.startsWith('@celery/')) problems.push(`${title} brings ${name}`)
    if (hasInstallScript === true && !installScripts.includes(name)) {
      problems.push(`${title} brings an installation script of ${name}`)
    }
  }
  const { status, output } = await capture(process.execPath, ['program.js'], { cwd: folder, timeoutMs: 60_000 })
  if (status !== 0 || output.trim() !== prints) problems.push(`${title} installed does not work:\n${output.trim()}`)
  if (command !== undefined) {
    const [file = '', ...args] = command
    const ran = await capture(join(folder, file), args, { cwd: folder, timeoutMs: 60_000 })
    if (ran.status !== 0) problems.push(`${title} installed cannot run ${command.join(' ')}:\n${ran.output.trim()}`)
  }
  return problems
}

const tasks = `
import { Celery } from 'celery'
export const app: Celery = new Celery('installed', { notify() {} })
export const add = app.task('add', (x: number, y: number) => x + y)`

/**
 * What README.md says of projects outside this repository.
 *
 * @param {string} folder
 * @param {readonly string[]} tarballs
 */
async function installAll(folder, tarballs) {
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const npm = await capture('npm', ['install', '--no-audit', '--no-fund', ...tarballs], { cwd: folder })
  return npm.status === 0 ? [] : [`npm cannot install all packages at once:\n${npm.output.trim()}`]
}
