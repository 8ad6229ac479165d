import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Folders that hold what others made. */
const skipped: ReadonlySet<string> = new Set(['node_modules', '.git', '.turbo', '.celery', 'dist', 'coverage'])

export interface FoundFiles {
  readonly files: readonly string[]
  /** Folders below the first that could not be read. */
  readonly unreadable: readonly Unreadable[]
}

export interface Unreadable {
  readonly path: string
  readonly reason: string
}

/**
 * Every regular file below `folder`, without what tools put there. Links are not followed. Rejects if `folder` itself
 * cannot be read.
 */
export async function findFiles(folder: string, signal?: AbortSignal): Promise<FoundFiles> {
  const files: string[] = []
  const unreadable: Unreadable[] = []
  const folders = [folder]
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    signal?.throwIfAborted()
    try {
      for (const entry of await readdir(next, { withFileTypes: true })) {
        if (skipped.has(entry.name)) continue
        const path = join(next, entry.name)
        if (entry.isDirectory()) folders.push(path)
        else if (entry.isFile()) files.push(path)
      }
    } catch (error) {
      if (next === folder) throw error
      unreadable.push({ path: next, reason: String(error) })
    }
  }
  return { files, unreadable }
}
