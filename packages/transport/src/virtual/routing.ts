import type { AbortableOptions } from '@celery/promises'
import type { Binding, ExchangeDeclaration, Publication } from '../broker-connection.ts'
import { UnknownExchangeError, UnroutableError } from '../transport-errors.ts'
import type { TopicMatches } from './topic-pattern.ts'
import type { VirtualBroker } from './virtual-broker.ts'

/** What the publisher needs to know of the exchanges that one call names. */
export type Routes = ReadonlyMap<string, ExchangeRoutes>

interface ExchangeRoutes {
  readonly type: ExchangeDeclaration['type']
  readonly bindings: readonly Binding[]
}

/** Routes of a call that names no exchange but the default one: tasks sent to a queue, which is nearly all of them. */
export const noRoutes: Routes = new Map()

/**
 * Reads the exchanges that `publications` name, once each. They are read again for every call and not kept: a binding
 * that another process has made must count for the next message, or that message is lost to its queue.
 */
export async function readRoutes(
  broker: Pick<VirtualBroker, 'exchange' | 'bindings'>,
  exchanges: ReadonlySet<string>,
  options: AbortableOptions | undefined,
): Promise<Routes> {
  const routes = new Map<string, ExchangeRoutes>()
  await Promise.all(
    Array.from(exchanges, async (name) => {
      const [declaration, bindings] = await Promise.all([
        broker.exchange(name, options),
        broker.bindings(name, options),
      ])
      if (declaration !== undefined) routes.set(name, { type: declaration.type, bindings })
    }),
  )
  return routes
}

/**
 * The queues that take a publication, each once.
 * @throws UnknownExchangeError
 * @throws UnroutableError
 */
export function matchingQueues(
  publication: Publication,
  routes: Routes,
  index: number,
  topicMatches: TopicMatches,
): readonly string[] {
  const { exchange, routingKey } = publication
  const route = routes.get(exchange)
  if (route === undefined) throw new UnknownExchangeError(exchange, index)
  const queues = new Set<string>()
  for (const binding of route.bindings) {
    if (bindingMatches(route.type, binding.routingKey, routingKey, topicMatches)) queues.add(binding.queue)
  }
  if (queues.size === 0 && publication.mandatory === true) throw new UnroutableError(exchange, routingKey, index)
  return [...queues]
}

function bindingMatches(
  type: ExchangeDeclaration['type'],
  pattern: string,
  routingKey: string,
  topicMatches: TopicMatches,
): boolean {
  if (type === 'fanout') return true
  return type === 'topic' ? topicMatches(pattern, routingKey) : pattern === routingKey
}
