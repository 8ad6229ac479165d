import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findViolations, readWorkspace } from '../check-layers.mjs'
import { root } from './paths.mjs'
import { CommandFailed, capture, runOrFail } from './run.mjs'
import { workspaceFolders } from './workspace.mjs'

/**
 * Compiles what changed since the last build. One `tsc -b` over the whole workspace knows what is stale and takes a
 * second; a compiler process per package would take ten times that.
 *
 * @param {{ quiet?: boolean }} [options] `quiet` keeps what the compiler prints for the error
 */
export async function build({ quiet = false } = {}) {
  const violations = findViolations(await readWorkspace(root))
  if (violations.length > 0) throw new CommandFailed('the check of the layers', 1, violations.join('\n'))
  await removeStaleOutput()
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  if (!quiet) return runOrFail(tsc, ['-b'])
  const { status, output } = await capture(tsc, ['-b'])
  if (status !== 0) throw new CommandFailed('tsc -b', status, output.trim())
}

/** The compiler never removes the output of a source file that is gone, and what lies in `dist` gets published. */
async function removeStaleOutput() {
  for (const folder of await workspaceFolders(root)) {
    const dist = join(root, folder, 'dist')
    const files = await readdir(dist, { recursive: true }).catch(() => [])
    for (const file of files) {
      const source = file.replace(/\.(?:js|d\.ts)(?:\.map)?$/, '.ts')
      if (source !== file && !existsSync(join(root, folder, 'src', source))) await rm(join(dist, file), { force: true })
    }
  }
}
