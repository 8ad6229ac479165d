/** `folder:////srv/queues`: a folder that the processes of a machine share. A list is a folder in it, an item a file. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Transport } from '@celery/transport'
import { type ListItem, type ListStore, listTransport } from '@celery/transport/virtual'

export function folderTransport(): Transport {
  const stores = new Map<string, ListStore>()
  return listTransport({
    name: 'folder',
    shared: true,
    async open({ path }) {
      const store = stores.get(path) ?? new FolderStore(path)
      stores.set(path, store)
      return store
    },
  })
}

class FolderStore implements ListStore {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  put(list: string, { place, text }: ListItem): Promise<void> {
    return write(this.#list(list), place, text)
  }

  /** Of all who rename a file, one succeeds. */
  async take(list: string): Promise<ListItem | undefined> {
    for (const place of await names(this.#list(list))) {
      const file = join(this.#list(list), place)
      const taken = `${file}${mine()}`
      if (!(await found(rename(file, taken)))) continue
      const text = await readFile(taken, 'utf8')
      await rm(taken)
      return { place, text }
    }
    return undefined
  }

  async size(list: string): Promise<number> {
    return (await names(this.#list(list))).length
  }

  async clear(list: string): Promise<number> {
    const places = await names(this.#list(list))
    const removed = await Promise.all(places.map((place) => found(rm(join(this.#list(list), place)))))
    return removed.filter(Boolean).length
  }

  async facts(): Promise<readonly string[]> {
    const files = (await names(this.#facts())).map((name) => join(this.#facts(), name))
    const facts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(unlessMissing)))
    return facts.filter((fact) => fact !== undefined)
  }

  remember(fact: string): Promise<void> {
    return write(this.#facts(), hash(fact), fact)
  }

  async forget(fact: string): Promise<void> {
    await found(rm(join(this.#facts(), hash(fact))))
  }

  #list(name: string): string {
    return join(this.#path, 'lists', hash(name))
  }

  #facts(): string {
    return join(this.#path, 'facts')
  }
}

/** Under a name that nobody looks for first, so that nobody reads half of it. */
async function write(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const draft = join(folder, `${name}${mine()}`)
  await writeFile(draft, text)
  await rename(draft, join(folder, name))
}

async function names(folder: string): Promise<readonly string[]> {
  const files = (await readdir(folder).catch(unlessMissing)) ?? []
  return files.filter((name) => !name.includes('.')).sort()
}

/** Ends the name of a file that belongs to one call. */
const mine = () => `.${randomUUID()}`
const hash = (name: string) => createHash('sha256').update(name).digest('hex')
const found = async (change: Promise<void>) => (await change.then(() => true, unlessMissing)) === true

function unlessMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
