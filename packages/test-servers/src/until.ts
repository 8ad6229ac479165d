import { setTimeout as delay } from 'node:timers/promises'

/**
 * Asks a server again and again, as it has no event for us, until `look` gives something, and resolves to that. An error
 * counts as nothing: servers come and go.
 *
 * @param what - For the error, for example `the replica has its copy`.
 * @throws Error after `timeoutMs`. @defaultValue `60_000`
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  { timeoutMs = 60_000 }: { readonly timeoutMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let problem: unknown
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
    } catch (error) {
      problem = error
    }
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms until ${what}`, { cause: problem })
    await delay(25)
  }
}
