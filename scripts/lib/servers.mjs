import { existsSync } from 'node:fs'
import { access, constants, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { root } from './paths.mjs'
import { capture, run } from './run.mjs'

/**
 * What the tests can use beside Node. The table is `packages/test-servers/servers.json`: a server joins by a row there.
 *
 * @typedef {object} Server
 * @property {string} title for people
 * @property {string} [executable] it is there if this program is
 * @property {readonly string[]} [pythonModules] it is there if the system's Python imports these
 * @property {readonly string[]} debian packages that bring it
 */

const table = join(root, 'packages', 'test-servers', 'servers.json')

/** Debian's own interpreter, for which Debian packages modules; the first `python3` on PATH may be another one. */
const systemPython = '/usr/bin/python3'

/** Forbids that an installed service is started; exit status 101 is "not allowed" (invoke-rc.d(8)). */
const policyFile = '/usr/sbin/policy-rc.d'
const policyText =
  '#!/bin/sh\n# Written by the set-up of the celery test servers for as long as it installs.\nexit 101\n'

/**
 * Looks which servers are missing and, as root on Debian, installs them; says what it does and what is left out.
 *
 * @returns {Promise<readonly string[]>} titles of those that are still missing
 */
export async function setUpServers() {
  const missing = await missingServers()
  if (missing.length === 0) return []
  const packages = missing.flatMap((server) => server.debian)
  const reason = whyNotInstall()
  if (reason === undefined) await installDebianPackages(packages)
  const left = reason === undefined ? await missingServers() : missing
  for (const server of left) {
    console.log(
      `left out: ${server.title} is not installed${reason === undefined ? '' : ` and was not, because ${reason}`}; ` +
        `by hand on Debian: apt-get install --no-install-recommends ${server.debian.join(' ')}`,
    )
  }
  return left.map((server) => server.title)
}

/** @returns {Promise<readonly Server[]>} */
async function missingServers() {
  /** @type {Record<string, Server>} */
  const servers = JSON.parse(await readFile(table, 'utf8'))
  const missing = []
  for (const server of Object.values(servers)) {
    if (!(await isInstalled(server))) missing.push(server)
  }
  return missing
}

/** @param {Server} server */
async function isInstalled({ executable, pythonModules }) {
  if (executable !== undefined && !(await findExecutable(executable))) return false
  if (pythonModules !== undefined) {
    const script = 'import sys, importlib.util as u; sys.exit(any(u.find_spec(m) is None for m in sys.argv[1:]))'
    const answer = await capture(systemPython, ['-c', script, ...pythonModules]).catch(() => undefined)
    if (answer?.status !== 0) return false
  }
  return true
}

/** @param {string} name */
async function findExecutable(name) {
  // Debian keeps servers in sbin folders, which are not on every user's PATH.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  for (const folder of folders) {
    const found = await access(join(folder, name), constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return true
  }
  return false
}

/** @returns {string | undefined} nothing if we may install */
function whyNotInstall() {
  if (process.env['CELERY_TEST_INSTALL'] === '0') return 'CELERY_TEST_INSTALL=0 forbids it'
  if (!existsSync('/etc/debian_version')) return 'this is not Debian'
  if (process.getuid?.() !== 0) return 'that takes root'
  return undefined
}

/**
 * Failure is not fatal here: whoever asked looks again at what is missing.
 *
 * @param {readonly string[]} packages
 */
async function installDebianPackages(packages) {
  console.log(`installing test servers from Debian: ${packages.join(' ')} (CELERY_TEST_INSTALL=0 switches this off)`)
  const restorePolicy = await forbidServiceStarts()
  try {
    if (!(await areListsPresent(packages)) && !(await apt(['update']))) return
    const install = ['install', '--yes', '--no-install-recommends', ...packages]
    // A list that has grown old names files that are gone from the mirror.
    if (!(await apt(install)) && (await apt(['update']))) await apt(install)
  } finally {
    await restorePolicy()
  }
}

/** @param {readonly string[]} packages */
async function areListsPresent(packages) {
  const { status, output } = await capture('apt-cache', ['show', '--no-all-versions', ...packages])
  return status === 0 && packages.every((name) => output.includes(`Package: ${name}\n`))
}

/**
 * @param {readonly string[]} args
 * @returns {Promise<boolean>} whether it succeeded
 */
async function apt(args) {
  const bounds = [
    'Acquire::Retries=3',
    'Acquire::http::Timeout=30',
    'Acquire::https::Timeout=30',
    'DPkg::Lock::Timeout=120',
  ]
  const quiet = ['-qq', '-o', 'Dpkg::Use-Pty=0', ...bounds.flatMap((bound) => ['-o', bound])]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  // `timeout` ends apt-get together with what it started, which killing one process id would not.
  const status = await run('timeout', ['--kill-after=10', '600', 'apt-get', ...quiet, ...args], { env })
  if (status !== 0) console.log(`apt-get ${args.join(' ')} ended with status ${status}`)
  return status === 0
}

/**
 * Tests start private servers of their own, so the services that these packages bring must stay down.
 * A policy that is there already is the administrator's (or the container image's) and stays.
 *
 * @returns {Promise<() => Promise<void>>} puts things back
 */
async function forbidServiceStarts() {
  const present = await readFile(policyFile, 'utf8').catch(() => undefined)
  if (present !== undefined && present !== policyText) return async () => {}
  await writeFile(policyFile, policyText, { mode: 0o755 })
  return () => rm(policyFile, { force: true })
}
