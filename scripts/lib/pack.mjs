import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inPairs } from './in-pairs.mjs'
import { pnpmProgram } from './pnpm.mjs'
import { capture } from './run.mjs'
import { workspaceFolders } from './workspace.mjs'

/**
 * Packs every public package as it would be published.
 *
 * @param {string} root
 * @param {string} into
 * @returns {Promise<{ name: string, tarball: string, source: string, dependencies: Record<string, string> }[]>}
 */
export async function packWorkspace(root, into) {
  const pnpm = await pnpmProgram()
  return inPairs(await workspaceFolders(root), async (path) => {
    const source = join(root, path)
    const manifest = JSON.parse(await readFile(join(source, 'package.json'), 'utf8'))
    if (manifest.private === true) return []
    const tarball = join(into, `${manifest.name.replace('@', '').replace('/', '-')}.tgz`)
    const { status, output } = await capture(pnpm, ['pack', '--out', tarball], { cwd: source })
    if (status !== 0) throw new Error(`${manifest.name} cannot be packed:\n${output}`)
    return [{ name: manifest.name, tarball, source, dependencies: manifest.dependencies ?? {} }]
  })
}
