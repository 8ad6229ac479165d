import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { root } from './paths.mjs'
import { CommandFailed, capture } from './run.mjs'

/** @type {Promise<string> | undefined} */
let found

/**
 * The program that is pnpm at the version which package.json pins: the one on PATH if it has that very version, else
 * the one that npx fetches. Corepack is not asked: newer Node releases leave it out, and its signature check can fail.
 *
 * @returns {Promise<string>}
 */
export function pnpmProgram() {
  found ??= findPnpm()
  return found
}

async function findPnpm() {
  const { packageManager } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const wanted = packageManager.replace(/\+.*$/, '')
  // Asked from elsewhere: inside the repository another version may try to swap itself for the pinned one.
  const env = { ...process.env, COREPACK_ENABLE_NETWORK: '0' }
  const answer = await capture('pnpm', ['--version'], { cwd: tmpdir(), env, timeoutMs: 10_000 }).catch(() => undefined)
  if (answer?.status === 0 && `pnpm@${answer.output.trim()}` === wanted) return 'pnpm'
  // Going through npx for every call would cost seconds each, so it only says where it has put the program.
  console.log(`getting ${wanted} with npx`)
  const { status, output } = await capture('npx', ['--yes', `--package=${wanted}`, '--call', 'command -v pnpm'])
  // npm may add words of its own before and after.
  const path = output.split('\n').find((line) => /^\/.*\/pnpm$/.test(line))
  if (status !== 0 || path === undefined) {
    throw new CommandFailed(`npx, asked for ${wanted},`, status || 1, output.trim())
  }
  return path
}

/**
 * The environment for tools of the workspace: their binaries on PATH, and nothing sent anywhere.
 *
 * @returns {NodeJS.ProcessEnv}
 */
export function toolEnvironment() {
  const path = [join(root, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter)
  return { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' }
}

/** As {@link toolEnvironment}, for tools that look for `pnpm` on PATH themselves. */
export async function toolEnvironmentWithPnpm() {
  const environment = toolEnvironment()
  const program = await pnpmProgram()
  if (program === 'pnpm') return environment
  return { ...environment, PATH: [dirname(program), environment['PATH']].join(delimiter) }
}
