import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds in which whatever is waited for has to come: a busy machine gets time. */
export const patienceMs = 60_000

/** Asks again and again until there is an answer. @throws Error that says what did not come */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  limitMs: number = patienceMs,
): Promise<T> {
  const endMs = performance.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > endMs) throw new Error(`${what}: waited for ${limitMs / 1000} s in vain`)
    await sleep(25)
  }
}
