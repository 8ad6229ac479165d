import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packWorkspace } from './lib/pack.mjs'
import { capture } from './lib/run.mjs'

/** What a user installs, what may come with it, and a program that uses it. */
const installations = [
  {
    packages: ['@celery/app', '@celery/transport-memory', '@celery/backend-memory'],
    /** Only what was asked for: no other driver, no foreign package. */
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
    return problems
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/**
 * @param {string} folder
 * @param {ReadonlyMap<string, string>} tarballs
 * @param {(typeof installations)[number]} installation
 */
async function install(folder, tarballs, { packages, onlyOurs, program, prints }) {
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
  const npm = await capture('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder })
  if (npm.status !== 0) return [`npm cannot install ${title}:\n${npm.output.trim()}`]
  const problems = []
  const lock = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8'))
  for (const [path, { hasInstallScript }] of Object.entries(lock.packages)) {
    const name = path.replace(/^.*node_modules\//, '')
    if (path === '' || !onlyOurs) continue
    if (!name.startsWith('@celery/')) problems.push(`${title} brings ${name}`)
    if (hasInstallScript === true) problems.push(`${title} brings an installation script of ${name}`)
  }
  const { status, output } = await capture(process.execPath, ['program.js'], { cwd: folder, timeoutMs: 60_000 })
  if (status !== 0 || output.trim() !== prints) problems.push(`${title} installed does not work:\n${output.trim()}`)
  return problems
}
