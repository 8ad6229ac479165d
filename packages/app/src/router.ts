import { Broadcast, Exchange, type Queue } from '@celery/messaging'
import { RecentlyUsed } from '@celery/promises'
import { loadExport } from './load-export.ts'
import type { Settings } from './settings.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'
import type { TaskQueues } from './task-queues.ts'
import {
  type PreparedRouter,
  prepareRouter,
  prepareRouters,
  type RouteQuery,
  type TaskRoute,
  type TaskRouter,
  type TaskRoutes,
  withNearer,
} from './task-routes.ts'

/** Where one message goes. */
export interface Destination {
  readonly exchange: string
  readonly routingKey: string
  /** What must be there before it is published. */
  readonly declare: readonly (Exchange | Queue)[]
  /** What the call, its task and its route say of it, the nearest first. */
  readonly route: TaskRoute
  /** Whether its exchange is for messages that a restart of the broker may lose. */
  readonly isTransient: boolean
}

/** Finds where a task goes: the call says, then its task, then the routes, then the default queue. */
export class Router {
  readonly #settings: Readonly<Settings>
  readonly #queues: TaskQueues
  /** Those that routes and calls name with their type. */
  readonly #exchanges = new RecentlyUsed<Exchange>(1_000)
  #prepared: { readonly from: TaskRoutes; readonly routers: readonly (PreparedRouter | string)[] } | undefined

  constructor(settings: Readonly<Settings>, queues: TaskQueues) {
    this.#settings = settings
    this.#queues = queues
  }

  /**
   * Imports the routers that the settings name by their modules; `undefined` where none is missing.
   * @throws ModuleNotFoundError, ImproperlyConfiguredError, and what a module itself throws.
   */
  load(): Promise<void> | undefined {
    const routers = this.#routers()
    return routers.some((router) => typeof router === 'string') ? this.#load(routers) : undefined
  }

  /**
   * @throws QueueNotFoundError where the queue is none of `taskQueues` and none are made.
   * @throws ImproperlyConfiguredError for a route that is none, or one that `load` was not awaited for.
   */
  route(query: RouteQuery): Destination {
    const found = this.#find(query)
    const route = found === undefined ? query.options : withNearer(found, query.options)
    const { exchange, exchangeType, routingKey } = route
    if (exchange !== undefined && exchange !== '') {
      return {
        exchange,
        routingKey: routingKey ?? this.#keyOf(route.queue),
        declare: exchangeType === undefined ? [] : [this.#exchange(exchange, exchangeType)],
        route,
        isTransient: false,
      }
    }
    if (exchange === '' && routingKey !== undefined)
      return { exchange, routingKey, declare: [], route, isTransient: false }
    return this.#toQueue(this.#queueOf(route.queue), route)
  }

  /** @throws QueueNotFoundError where the queue is none of `taskQueues` and none are made. */
  assertQueue(name: string): void {
    this.#queues.get(name)
  }

  /** The same one each time, which is then declared once for each connection, unless there are very many. */
  #exchange(name: string, type: Exchange['type']): Exchange {
    const key = `${type} ${name}`
    const known = this.#exchanges.get(key)
    if (known !== undefined) return known
    const made = new Exchange(name, { type })
    this.#exchanges.set(key, made)
    return made
  }

  #toQueue(queue: Queue, route: TaskRoute): Destination {
    const { exchange } = queue
    const isTransient = exchange?.deliveryMode === 'transient'
    if (exchange === undefined || exchange.name === '' || (route.exchangeType ?? exchange.type) === 'direct') {
      // The default exchange has every queue under its name (wire 4.2).
      return { exchange: '', routingKey: queue.name, declare: isPlain(queue) ? [] : [queue], route, isTransient }
    }
    return {
      exchange: exchange.name,
      routingKey: route.routingKey ?? queue.routingKey,
      // Each consumer of a broadcast makes a queue of its own.
      declare: [queue instanceof Broadcast ? exchange : queue],
      route,
      isTransient,
    }
  }

  #queueOf(queue: string | Queue | undefined): Queue {
    return typeof queue === 'object' ? queue : this.#queues.get(queue ?? this.#settings.taskDefaultQueue)
  }

  #keyOf(queue: string | Queue | undefined): string {
    return this.#queueOf(queue).routingKey
  }

  #find(query: RouteQuery): TaskRoute | undefined {
    for (const router of this.#routers()) {
      if (typeof router === 'string') throw notLoaded(router)
      const route = router(query)
      if (route !== undefined) return route
    }
    return undefined
  }

  #routers(): readonly (PreparedRouter | string)[] {
    const from = this.#settings.taskRoutes
    if (from === undefined) return noRouters
    if (this.#prepared?.from !== from) this.#prepared = { from, routers: prepareRouters(from) }
    return this.#prepared.routers
  }

  async #load(routers: readonly (PreparedRouter | string)[]): Promise<void> {
    const from = this.#settings.taskRoutes
    const loaded = await Promise.all(
      routers.map(async (router) => {
        if (typeof router !== 'string') return router
        const found = prepareRouter((await loadExport('taskRoutes', router)) as TaskRouter)
        if (typeof found !== 'string') return found
        throw new ImproperlyConfiguredError('taskRoutes', `taskRoutes: ${router} must be a router, not a text`)
      }),
    )
    // Other routes may have been set meanwhile.
    if (this.#prepared?.from === from) this.#prepared = { from: from as TaskRoutes, routers: loaded }
  }
}

const noRouters: readonly PreparedRouter[] = []

/** Whether a broker that makes it by its name alone makes the same. */
function isPlain({ declaration }: Queue): boolean {
  const { arguments: own, autoDelete, durable, exclusive, expiresMs, messageTtlMs } = declaration
  if (own !== undefined || expiresMs !== undefined || messageTtlMs !== undefined) return false
  return durable !== false && autoDelete !== true && exclusive !== true
}

function notLoaded(router: string): ImproperlyConfiguredError {
  return new ImproperlyConfiguredError(
    'taskRoutes',
    `taskRoutes: ${router} is not loaded; await app.loadModules() first`,
  )
}
