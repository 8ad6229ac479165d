import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Folders that hold what others made. */
const skipped: ReadonlySet<string> = new Set(['node_modules', '.git', '.turbo', '.celery', 'dist', 'coverage'])

/** Every file below `folder`, without what tools put there. */
export async function findFiles(folder: string): Promise<string[]> {
  const files: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (skipped.has(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) files.push(...(await findFiles(path)))
    else if (entry.isFile()) files.push(path)
  }
  return files
}
