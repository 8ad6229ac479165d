import type { Profiler } from 'node:inspector'

/** Parts of a worker's work. */
export const parts = ['ipc', 'decode', 'settle', 'fetch', 'run', 'gc', 'rest'] as const
export type Part = (typeof parts)[number]

type Frame = Pick<Profiler.ProfileNode['callFrame'], 'functionName' | 'url'>

/** Code that works for one part alone, by where it lies; the first that matches. */
const owners: readonly (readonly [RegExp, Part])[] = [
  [/\/packages\/process-pool\//, 'ipc'],
  [/\/packages\/worker\/dist\/(child|pools\/(prefork-pool|reply|threads-pool))\.js$/, 'ipc'],
  [/\/packages\/(protocol|serialization)\//, 'decode'],
  [/\/packages\/worker\/dist\/trace-input\.js$/, 'decode'],
  [/\/packages\/messaging\/dist\/codecs\.js$/, 'decode'],
  [/\/packages\/messaging\/dist\/(batcher|settler)\.js$/, 'settle'],
  [/\/packages\/worker\/dist\/(outcome-settler|result-storer|repeated-messages)\.js$/, 'settle'],
  [/\/packages\/transport-sqlite\/dist\/settle-messages\.js$/, 'settle'],
  [/\/packages\/messaging\//, 'fetch'],
  [/\/packages\/(app|worker)\//, 'run'],
  [/\/apps\/bench\//, 'run'],
]

/** The driver fetches, unless it was called to settle: the callers tell. */
const driver = /\/packages\/transport(-sqlite)?\//

/** What Node calls us from when a pipe or a port has something. */
const pipes = /^node:(net|internal\/(stream_base_commons|per_context\/messageport))$/

/**
 * For which part of the work a thread was busy, by what it was doing, innermost first: the innermost code of ours
 * decides. `undefined` where it was not busy.
 */
export function partOfWork(stack: readonly Frame[]): Part | undefined {
  const name = stack[0]?.functionName
  if (name === '(idle)') return undefined
  if (name === '(garbage collector)') return 'gc'
  let isDriver = false
  for (const { url } of stack) {
    const owner = owners.find(([place]) => place.test(url))?.[1]
    // Whoever asks the driver for something, other than to settle, is not the one who is busy.
    if (owner !== undefined && (!isDriver || owner === 'settle')) return owner
    if (owner !== undefined) break
    isDriver ||= driver.test(url)
  }
  if (isDriver) return 'fetch'
  return stack.some(({ url }) => pipes.test(url)) ? 'ipc' : 'rest'
}
