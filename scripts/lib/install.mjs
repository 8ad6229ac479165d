import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from './paths.mjs'
import { pnpmProgram } from './pnpm.mjs'
import { runOrFail } from './run.mjs'
import { workspaceFolders } from './workspace.mjs'

const stampFile = join(root, 'node_modules', '.install-stamp')

/** Installs what the lockfile names, unless that was done already for these very manifests. */
export async function installDependencies() {
  const stamp = await fingerprint()
  if (await isInstalled(stamp)) return
  const pnpm = await pnpmProgram()
  console.log('installing dependencies')
  // pnpm asks before it replaces a node_modules that another tool made; here nobody may be there to answer.
  const options = ['--frozen-lockfile', '--prefer-offline', '--config.confirm-modules-purge=false']
  await runOrFail(pnpm, ['install', ...options])
  await mkdir(join(root, 'node_modules'), { recursive: true })
  await writeFile(stampFile, stamp)
}

/** @param {string} stamp */
async function isInstalled(stamp) {
  if (!existsSync(join(root, 'node_modules', '.modules.yaml'))) return false
  return (await readFile(stampFile, 'utf8').catch(() => '')) === stamp
}

/** Everything that decides what an install puts where. */
async function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${process.versions.modules}\n`)
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', '.npmrc', 'package.json']
  for (const folder of await workspaceFolders(root)) files.push(join(folder, 'package.json'))
  for (const file of files) {
    const content = await readFile(join(root, file)).catch(() => Buffer.from('(none)'))
    hash.update(`${file} ${content.length}\n`).update(content)
  }
  return hash.digest('hex')
}
