// The entry of every `npm run` command: on a machine with nothing but Node it gets the rest, then runs the command.
//
//   node scripts/bootstrap.mjs COMMAND [ARGUMENT…]
//
// It must work before anything is installed, so neither it nor what it imports here has a dependency.

import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from './lib/build.mjs'
import { installDependencies } from './lib/install.mjs'
import { packWorkspace } from './lib/pack.mjs'
import { root } from './lib/paths.mjs'
import { pnpmProgram, toolEnvironment, toolEnvironmentWithPnpm } from './lib/pnpm.mjs'
import { CommandFailed, run } from './lib/run.mjs'
import { setUpServers } from './lib/servers.mjs'

const isCI = !['', '0', 'false', undefined].includes(process.env['CI'])

/** Each resolves to an exit status. @type {Record<string, (args: readonly string[]) => Promise<number>>} */
const commands = {
  async setup() {
    await prepare()
    return 0
  },
  async 'setup:servers'() {
    const missing = await setUpServers()
    if (missing.length === 0) console.log('all test servers are installed')
    return missing.length === 0 ? 0 : 1
  },
  async build() {
    await prepare()
    return 0
  },
  /** For projects of one's own, as long as the packages are not on npm. */
  async pack([folder, ...more]) {
    if (folder === undefined || more.length > 0) {
      console.error('usage: npm run pack -- FOLDER')
      return 2
    }
    await prepare()
    const into = resolve(callersFolder(), folder)
    mkdirSync(into, { recursive: true })
    const packed = await packWorkspace(root, into)
    console.log(`${packed.length} packages; in your project: npm install ${join(into, '*.tgz')}`)
    return 0
  },
  async pnpm(args) {
    return run(await pnpmProgram(), args, { cwd: callersFolder() })
  },
  async test(args) {
    const missing = await setUpServers()
    if (missing.length > 0 && isCI) {
      console.error(`CI is set, so every test server has to be there; missing: ${missing.join(', ')}`)
      return 1
    }
    await prepare()
    return run('vitest', ['run', '--config', 'vitest.workspace.ts', ...args], { env: toolEnvironment() })
  },
  async check(args) {
    await installDependencies()
    return run(process.execPath, [join(root, 'scripts', 'check.mjs'), ...args], { env: toolEnvironment() })
  },
  async turbo(args) {
    await installDependencies()
    return run('turbo', args, { env: await toolEnvironmentWithPnpm() })
  },
  start: (args) => application('quickstart', args),
  bench: (args) => application('bench', args),
  chaos: (args) => application('chaos', args),
  fuzz: (args) => application('fuzz', args),
  interop: (args) => application('interop', args),
}

async function prepare() {
  await installDependencies()
  await build()
}

/**
 * @param {string} name
 * @param {readonly string[]} args
 */
async function application(name, args) {
  await prepare()
  return run(process.execPath, [join(root, 'apps', name, 'dist', 'main.js'), ...args], { cwd: callersFolder() })
}

/** npm changes to the folder of package.json; a path that a person types means the folder they are in. */
function callersFolder() {
  const folder = process.env['INIT_CWD']
  return folder !== undefined && existsSync(folder) ? folder : process.cwd()
}

async function main() {
  const [name = '', ...args] = process.argv.slice(2)
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    console.error(`usage: node scripts/bootstrap.mjs ${Object.keys(commands).join(' | ')} [argument…]`)
    return 2
  }
  try {
    return await command(args)
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    console.error(error.output === '' ? error.message : `${error.message}:\n${error.output}`)
    return error.status
  }
}

process.exitCode = await main()
