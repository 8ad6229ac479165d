import { discoverModules } from './discover-modules.ts'
import { importModules } from './import-modules.ts'

/** Folders, packages and globs, or what tells them when they are needed. */
export type TaskFolders = readonly string[] | (() => readonly string[])

export interface DiscoverOptions {
  /** Module that is looked for in each of them; `null` for that of the folder or package itself. @defaultValue `'tasks'` */
  readonly relatedName?: string | null
}

/** The modules with tasks of an app: those that are named, and those that are found. */
export class AppModules {
  readonly #root: string
  readonly #later: (() => Promise<void>)[] = []

  constructor(root: string) {
    this.#root = root
  }

  discover(entries: TaskFolders, relatedName: string | null): Promise<void> {
    const folders = typeof entries === 'function' ? entries() : entries
    return importModules(discoverModules(folders, relatedName, this.#root))
  }

  discoverLater(entries: TaskFolders, relatedName: string | null): void {
    this.#later.push(() => this.discover(entries, relatedName))
  }

  /** Imports the named modules, then those that were to be discovered. */
  async load(modules: readonly string[]): Promise<void> {
    await importModules(modules)
    // One that is imported may announce others, which are reached here too.
    for (const discover of this.#later) await discover()
  }
}
