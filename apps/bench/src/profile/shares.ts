import { readdirSync, readFileSync } from 'node:fs'
import type { Profiler } from 'node:inspector'
import { join } from 'node:path'
import { type Part, partOfWork, parts } from './part-of-work.ts'

/** A stretch of time, in microseconds of the machine's monotonic clock. */
export interface Stretch {
  readonly from: number
  readonly to: number
}

/** All profiles of a folder. */
export function readProfiles(folder: string): Profiler.Profile[] {
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profiler.Profile)
}

/** How the time in which these threads were busy, within the stretch, divides among the parts: percent, 100 in all. */
export function sharesOf(profiles: readonly Profiler.Profile[], stretch: Stretch): Readonly<Record<Part, number>> {
  const micros = Object.fromEntries(parts.map((part) => [part, 0])) as Record<Part, number>
  for (const profile of profiles) addBusyMicros(profile, stretch, micros)
  const all = parts.reduce((sum, part) => sum + micros[part], 0)
  if (all === 0) throw new RangeError('no thread was busy within that time')
  return Object.fromEntries(parts.map((part) => [part, (micros[part] / all) * 100])) as Record<Part, number>
}

function addBusyMicros(profile: Profiler.Profile, { from, to }: Stretch, micros: Record<Part, number>): void {
  const partOf = partsOfNodes(profile)
  const { samples = [], timeDeltas = [] } = profile
  let at = profile.startTime
  for (let index = 0; index < samples.length; index++) {
    at += timeDeltas[index] as number
    if (at < from || at > to) continue
    const part = partOf.get(samples[index] as number)
    // What a sample saw lasts until the next one.
    if (part !== undefined) micros[part] += Math.max(0, timeDeltas[index + 1] ?? 0)
  }
}

/** By the numbers of nodes: what a thread does whose innermost call that node is. */
function partsOfNodes({ nodes }: Profiler.Profile): ReadonlyMap<number, Part | undefined> {
  const callers = new Map<number, Profiler.ProfileNode>()
  for (const node of nodes) for (const child of node.children ?? []) callers.set(child, node)
  return new Map(
    nodes.map((node) => {
      const stack: Profiler.ProfileNode['callFrame'][] = []
      for (let each: Profiler.ProfileNode | undefined = node; each !== undefined; each = callers.get(each.id)) {
        stack.push(each.callFrame)
      }
      return [node.id, partOfWork(stack)]
    }),
  )
}
