import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const worker = pathToFileURL(createRequire(import.meta.url).resolve('@celery/worker')).href

/** Keeps the last of many values, each for long enough to become old, and says how often old ones were collected. */
const program = `
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { limitHeapGrowth } from '${worker}'
if (process.argv[1] === 'limited') limitHeapGrowth()
let collections = 0
const observer = new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++
})
observer.observe({ entryTypes: ['gc'] })
const kept = new Array(200_000)
for (let n = 0; n < 3_000_000; n++) kept[n % kept.length] = { name: 'x' + n, number: n }
// What was observed is told in a turn of its own.
setImmediate(() => setImmediate(() => console.log(collections)))
`

async function collections(limit: 'limited' | 'unlimited', ...flags: readonly string[]): Promise<number> {
  const args = [...flags, '--input-type=module', '--eval', program, limit]
  return Number((await promisify(execFile)(process.execPath, args)).stdout)
}

test('P-11 what has become old is collected sooner, unless Node was told otherwise', async () => {
  const [limited = 0, unlimited, told] = await Promise.all([
    collections('limited'),
    collections('unlimited'),
    collections('limited', '--heap_growing_percent=900'),
  ])
  expect(limited).toBeGreaterThan(unlimited ?? 0)
  expect(limited).toBeGreaterThan(told ?? 0)
})
