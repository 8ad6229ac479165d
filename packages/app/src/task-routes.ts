import { inspect } from 'node:util'
import type { Exchange, Queue } from '@celery/messaging'
import { closestName } from '@celery/promises'
import { matchesExpression, matchesGlob } from './match-pattern.ts'
import { camelCase } from './name-spelling.ts'
import { priorityRule } from './priority.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'
import type { TaskOptions } from './task.ts'

/** Where a message goes and how it is sent. What is nearer wins: the call, then its task, then its route. */
export interface TaskRoute {
  /** The queue, by name or as one: its exchange and routing key come with it. */
  readonly queue?: string | Queue | undefined
  readonly exchange?: string | undefined
  /** Makes `exchange` as one of this type, if it is not there. */
  readonly exchangeType?: Exchange['type'] | undefined
  readonly routingKey?: string | undefined
  readonly priority?: number | undefined
  /** 2 survives a restart of the broker, 1 does not. */
  readonly deliveryMode?: 1 | 2 | undefined
  /** Whether it is an error that no queue takes the message. */
  readonly mandatory?: boolean | undefined
  readonly serializer?: string | undefined
  readonly compression?: string | undefined
}

/** The name of a queue, or all there is to say. */
export type RouteTarget = string | TaskRoute

/** A name, a glob in which `*` stands for any text, or an expression for the beginning of the name. */
export type RoutePattern = string | RegExp

/** Which tasks go where. A name wins over patterns; of these, the first one that matches. */
export type RouteTable =
  | Readonly<Record<string, RouteTarget>>
  | ReadonlyMap<RoutePattern, RouteTarget>
  | readonly (readonly [pattern: RoutePattern, target: RouteTarget])[]

/** Asked for each call; nothing leaves it to the next router. `options` are those of the call and its task, which win. */
export type RouterFunction = (
  name: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  options: TaskRoute,
  task: RoutedTask | undefined,
) => RouteTarget | null | undefined

/** What a router is told of a task that is declared here. */
export interface RoutedTask {
  readonly name: string
  readonly options: TaskOptions
}

/** The routers of Celery 3. */
export interface RouterObject {
  routeForTask(
    name: string,
    args?: readonly unknown[],
    kwargs?: Readonly<Record<string, unknown>>,
  ): RouteTarget | null | undefined
}

/** One router; a text is the module that exports one: `./proj/routes.ts:video`. */
export type TaskRouter = RouteTable | RouterFunction | RouterObject | (new () => RouterObject) | string

/** The setting `taskRoutes`: a router or several, of which the first with an answer counts. */
export type TaskRoutes = TaskRouter | readonly (TaskRouter | readonly [RoutePattern, RouteTarget])[]

/** `route` with what is said nearer to the call. A nearer address replaces the whole of it: a half of each would lead nowhere. */
export function withNearer(route: TaskRoute, nearer: TaskRoute): TaskRoute {
  if (nearer.queue === undefined && nearer.exchange === undefined) return { ...route, ...nearer }
  const { exchange: _e, exchangeType: _t, queue: _q, routingKey: _r, ...others } = route
  return { ...others, ...nearer }
}

/** The call that is to be routed. */
export interface RouteQuery {
  /** By which its route is found. */
  readonly name: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** What is known without routes. */
  readonly options: TaskRoute
  readonly task: RoutedTask | undefined
}

export type PreparedRouter = (query: RouteQuery) => TaskRoute | undefined

/** The routers of a setting in order; the text of one that is a module, for who can load it. */
export function prepareRouters(routes: TaskRoutes): readonly (PreparedRouter | string)[] {
  if (!Array.isArray(routes)) return [prepareRouter(routes as TaskRouter)]
  const pairs = routes.filter(isPair)
  // A list of pairs is a table itself, without another list around it.
  if (pairs.length > 0 && pairs.length === routes.length) return [prepareTable(pairs)]
  return routes.map((router: TaskRouter) => prepareRouter(router))
}

/** @throws ImproperlyConfiguredError for what is none. */
export function prepareRouter(router: TaskRouter): PreparedRouter | string {
  if (typeof router === 'string') return router
  if (typeof router === 'function') {
    if (isRouterClass(router)) return prepareRouter(new router())
    return ({ name, args, kwargs, options, task }) =>
      targetOf(name, (router as RouterFunction)(name, args, kwargs, options, task))
  }
  if (router instanceof Map) return prepareTable([...router])
  if (Array.isArray(router)) return prepareTable(router)
  if (isRouterObject(router)) {
    return ({ name, args, kwargs }) => targetOf(name, router.routeForTask(name, args, kwargs))
  }
  if (typeof router === 'object' && router !== null) return prepareTable(Object.entries(router))
  throw invalid(`a router must be a table, a function or the path of one, not ${typeof router}`)
}

function prepareTable(entries: readonly unknown[]): PreparedRouter {
  const exact = new Map<string, TaskRoute>()
  const patterns: { readonly matches: (name: string) => boolean; readonly route: TaskRoute }[] = []
  for (const entry of entries) {
    if (!isPair(entry)) throw invalid('each entry of a list of routes must be a pair: a pattern and where it goes')
    const [pattern, target] = entry
    const route = targetOf(String(pattern), target)
    if (route === undefined) continue
    if (pattern instanceof RegExp) patterns.push({ matches: (name) => matchesExpression(pattern, name), route })
    else if (pattern.includes('*')) patterns.push({ matches: (name) => matchesGlob(pattern, name), route })
    else if (!exact.has(pattern)) exact.set(pattern, route)
  }
  const byPattern = remembering((name) => patterns.find(({ matches }) => matches(name))?.route)
  return ({ name }) => exact.get(name) ?? byPattern(name)
}

/** Names of which is kept what the patterns made of them. */
const mostRemembered = 1_000

/** Looks each name up once: an expression takes longer than all else that is done to send a message. */
function remembering(find: (name: string) => TaskRoute | undefined): (name: string) => TaskRoute | undefined {
  const found = new Map<string, TaskRoute | undefined>()
  return (name) => {
    if (found.has(name)) return found.get(name)
    const route = find(name)
    if (found.size === mostRemembered) found.clear()
    found.set(name, route)
    return route
  }
}

/** @throws ImproperlyConfiguredError for what is no route. */
function targetOf(name: string, target: unknown): TaskRoute | undefined {
  if (target === undefined || target === null) return undefined
  if (typeof target === 'string') return { queue: target }
  if (typeof target !== 'object' || typeof (target as { readonly then?: unknown }).then === 'function') {
    throw invalid(`the route of "${name}" must be the name of a queue or an object of options, not ${kindOf(target)}`)
  }
  const route = Object.fromEntries(Object.entries(target).map(([option, value]) => [camelCase(option), value]))
  for (const option of Object.keys(route)) assertRouteOption(name, option)
  const { priority } = route
  if (priority === undefined || priority === null || priorityRule.test(priority)) return route
  throw invalid(`the priority of the route of "${name}" must be ${priorityRule.expected}, not ${inspect(priority)}`)
}

const routeOptions: Readonly<Record<keyof TaskRoute, true>> = {
  compression: true,
  deliveryMode: true,
  exchange: true,
  exchangeType: true,
  mandatory: true,
  priority: true,
  queue: true,
  routingKey: true,
  serializer: true,
}

export const routeOptionNames = Object.keys(routeOptions) as readonly (keyof TaskRoute)[]

function assertRouteOption(name: string, option: string): void {
  if (Object.hasOwn(routeOptions, option)) return
  const closest = closestName(option, routeOptionNames)
  const hint = closest === undefined ? `it has ${routeOptionNames.join(', ')}` : `did you mean ${closest}?`
  throw invalid(`the route of "${name}" has no option "${option}"; ${hint}`)
}

function kindOf(value: unknown): string {
  return typeof value === 'object' ? 'a promise: it is needed at once' : `a ${typeof value}`
}

function isPair(entry: unknown): entry is readonly [RoutePattern, RouteTarget] {
  if (!Array.isArray(entry) || entry.length !== 2) return false
  return (typeof entry[0] === 'string' || entry[0] instanceof RegExp) && !Array.isArray(entry[1])
}

function isRouterClass(router: object): router is new () => RouterObject {
  const { prototype } = router as { readonly prototype?: unknown }
  return typeof prototype === 'object' && prototype !== null && isRouterObject(prototype)
}

function isRouterObject(router: object): router is RouterObject {
  return typeof (router as Partial<RouterObject>).routeForTask === 'function'
}

function invalid(problem: string): ImproperlyConfiguredError {
  return new ImproperlyConfiguredError('taskRoutes', `taskRoutes: ${problem}`)
}
