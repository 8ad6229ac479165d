import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * @param {string} root
 * @returns {Promise<string[]>} folders of the workspace's packages, relative to the root, with `/`, in a stable order
 */
export async function workspaceFolders(root) {
  const folders = []
  for (const group of ['packages', 'apps']) {
    const names = await readdir(join(root, group)).catch(() => [])
    for (const name of names.sort()) {
      if (existsSync(join(root, group, name, 'package.json'))) folders.push(`${group}/${name}`)
    }
  }
  return folders
}
