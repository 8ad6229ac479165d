import { expect, test } from 'vitest'
import { lines, startPool, submit, temporaryFile } from './pool-harness.ts'

test.each([1, 2, 3])('under random kills every job ends once, and none runs twice (seed %d)', async (seed) => {
  const random = generator(seed)
  const file = temporaryFile('ledger')
  await using pool = await startPool({ size: 2 })
  const jobs = Array.from({ length: 3_000 }, (_, id) => {
    const slow = random() < 0.01
    return submit(pool, { do: 'ledger', file, id, ...(slow ? { ms: 20 } : {}) }, { kind: slow ? 'slow' : 'fast' })
  })
  let kills = 0
  const everyFew = new Set(Array.from({ length: 8 }, () => Math.floor(random() * jobs.length)))
  for (const at of everyFew) {
    void jobs[at]?.started.then((pid) => {
      kills += 1
      setTimeout(() => {
        // The child may have been replaced by now; then there is nothing to kill.
        if (pool.children.some((child) => child.pid === pid)) process.kill(pid, 'SIGKILL')
      }, random() * 5)
    })
  }
  const outcomes = await Promise.all(jobs.map(({ done }) => done))
  const ran = lines(file).map(Number)
  expect(new Set(ran).size).toBe(ran.length)
  const replied = outcomes.flatMap(({ type }, id) => (type === 'reply' ? [id] : []))
  const lost = outcomes.filter(({ type }) => type === 'lost').length
  expect(replied.length + lost).toBe(jobs.length)
  expect(lost).toBeLessThanOrEqual(kills)
  const ranOnce = new Set(ran)
  expect(replied.every((id) => ranOnce.has(id))).toBe(true)
})

/** A linear congruential generator: the same numbers for the same seed, everywhere. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
