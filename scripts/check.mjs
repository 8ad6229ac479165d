// Everything that must hold besides the tests: `npm run check`, or `npm run check -- STEP…` for some steps.
// All steps run even if one fails, so that one run shows everything there is to mend.

import { checkInstall } from './check-install.mjs'
import { findViolations, readWorkspace } from './check-layers.mjs'
import { checkPackages } from './check-packages.mjs'
import { checkRows } from './check-rows.mjs'
import { checkWords } from './check-words.mjs'
import { build } from './lib/build.mjs'
import { root } from './lib/paths.mjs'
import { CommandFailed, capture } from './lib/run.mjs'

/** Each resolves to what is wrong, as text to print; empty when all is well. @type {Record<string, () => Promise<string>>} */
const steps = {
  /** Format and lint. */
  lint: () => tool('biome', ['check', '--error-on-warnings', '--diagnostic-level=warn', '--max-diagnostics=200', '.']),
  layers: async () => findViolations(await readWorkspace(root)).join('\n'),
  /** The sources with the type tests among them, then what no package ships: tests beside `src`, scripts, settings. */
  types: async () => {
    const failure = await build({ quiet: true }).then(() => '', textOf)
    return failure || (await tool('tsc', ['-p', 'tsconfig.tools.json']))
  },
  /** Unused files, exports and dependencies, and those that are used but not listed. */
  unused: () => tool('knip', ['--no-progress', '--no-config-hints']),
  /** What would be published, packed and looked at from outside. */
  packages: async () => (await checkPackages(root)).join('\n'),
  /** The parts that a user installs alone, and the whole, in empty folders. */
  install: async () => (await checkInstall(root)).join('\n'),
  words: async () => (await checkWords(root)).join('\n'),
  /** The tests that docs/compatibility.md names. */
  rows: async () => (await checkRows(root)).join('\n'),
}

/**
 * @param {string} name
 * @param {readonly string[]} args
 */
async function tool(name, args) {
  const { status, output } = await capture(name, args)
  return status === 0 ? '' : output.trim() || `${name} ended with status ${status}`
}

/** @param {unknown} error */
function textOf(error) {
  if (error instanceof CommandFailed) return error.output || error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** @param {readonly string[]} names */
async function main(names) {
  const unknown = names.filter((name) => !Object.hasOwn(steps, name))
  if (unknown.length > 0) {
    console.error(`no step is called ${unknown.join(', ')}; there are ${Object.keys(steps).join(', ')}`)
    return 2
  }
  const failed = []
  for (const [name, step] of Object.entries(steps)) {
    if (names.length > 0 && !names.includes(name)) continue
    const startedAt = performance.now()
    const problems = await step().catch(textOf)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`${name.padEnd(10)} ${problems === '' ? 'ok' : 'failed'}  ${seconds} s`)
    if (problems === '') continue
    console.log(problems.replace(/^/gm, '  '))
    failed.push(name)
  }
  console.log(failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`)
  return failed.length === 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
