import type { TaskRoute } from './setting-kinds.ts'
import type { Settings } from './settings.ts'

/** Where one message goes. */
export interface Destination {
  readonly exchange: string
  readonly routingKey: string
  readonly priority: number | undefined
}

/** Finds the queue of a task: the call's own options first, then the task's, then the routes, then the default queue. */
export class Router {
  readonly #settings: Readonly<Settings>
  #prepared: { readonly from: RouteTable; readonly routes: readonly PreparedRoute[] } | undefined

  constructor(settings: Readonly<Settings>) {
    this.#settings = settings
  }

  route(task: string, options: TaskRoute): Destination {
    const route = options.queue === undefined && options.exchange === undefined ? this.#find(task) : undefined
    const merged = { ...route, ...options }
    const priority = merged.priority ?? this.#settings.taskDefaultPriority
    if (merged.exchange !== undefined && merged.exchange !== '') {
      return { exchange: merged.exchange, routingKey: merged.routingKey ?? merged.queue ?? '', priority }
    }
    // A queue by name goes through the default exchange, whose routing key is the queue (wire 4.2).
    const queue = merged.queue ?? merged.routingKey ?? this.#settings.taskDefaultQueue
    return { exchange: '', routingKey: queue, priority }
  }

  #find(task: string): TaskRoute | undefined {
    const from = this.#settings.taskRoutes
    if (from === undefined) return undefined
    if (this.#prepared?.from !== from) this.#prepared = { from, routes: Object.entries(from).map(prepareRoute) }
    return this.#prepared.routes.find(({ matches }) => matches(task))?.route
  }
}

type RouteTable = NonNullable<Settings['taskRoutes']>

interface PreparedRoute {
  readonly matches: (task: string) => boolean
  readonly route: TaskRoute
}

function prepareRoute([pattern, target]: [string, string | TaskRoute]): PreparedRoute {
  const route = typeof target === 'string' ? { queue: target } : target
  return { route, matches: pattern.includes('*') ? (task) => matchesGlob(pattern, task) : (task) => task === pattern }
}

/** `*` stands for any text. Greedy with one step back, so the time is linear in practice and quadratic at worst. */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      mark = t
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++
      t++
    } else if (star !== -1) {
      p = star + 1
      t = ++mark
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
