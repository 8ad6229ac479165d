import type { Binding, ExchangeDeclaration, QueueDeclaration } from '../broker-connection.ts'
import type { ListStore } from './list-store.ts'

/** What was declared by anybody, read at once. */
export interface Declarations {
  readonly exchanges: ReadonlyMap<string, ExchangeDeclaration>
  readonly queues: ReadonlyMap<string, QueueDeclaration>
  readonly bindings: readonly Binding[]
}

type Fact =
  | { readonly exchange: ExchangeDeclaration }
  | { readonly queue: QueueDeclaration }
  | { readonly binding: Binding }

/** Exchanges, queues and bindings among the facts of a store. Nothing is kept here: another process may have changed it. */
export class ListTables {
  readonly #store: ListStore

  constructor(store: ListStore) {
    this.#store = store
  }

  /** Where two processes have declared the same at the same time, the declaration that the store names first counts. */
  async read(): Promise<Declarations> {
    const exchanges = new Map<string, ExchangeDeclaration>()
    const queues = new Map<string, QueueDeclaration>()
    const bindings: Binding[] = []
    for (const text of await this.#store.facts()) {
      const fact = decodeFact(text)
      if (fact === undefined) continue
      if ('binding' in fact) bindings.push(fact.binding)
      else if ('queue' in fact && !queues.has(fact.queue.name)) queues.set(fact.queue.name, fact.queue)
      else if ('exchange' in fact && !exchanges.has(fact.exchange.name))
        exchanges.set(fact.exchange.name, fact.exchange)
    }
    return { exchanges, queues, bindings }
  }

  add(fact: Fact): Promise<void> {
    return this.#store.remember(JSON.stringify(fact))
  }

  removeExchange(name: string): Promise<void> {
    return this.#remove((fact) => ('exchange' in fact ? fact.exchange.name : bindingOf(fact)?.exchange) === name)
  }

  removeQueue(name: string): Promise<void> {
    return this.#remove((fact) => ('queue' in fact ? fact.queue.name : bindingOf(fact)?.queue) === name)
  }

  removeBinding({ queue, exchange, routingKey }: Binding): Promise<void> {
    return this.#remove((fact) => {
      const binding = bindingOf(fact)
      return binding?.queue === queue && binding.exchange === exchange && binding.routingKey === routingKey
    })
  }

  async #remove(matches: (fact: Fact) => boolean): Promise<void> {
    for (const text of await this.#store.facts()) {
      const fact = decodeFact(text)
      if (fact !== undefined && matches(fact)) await this.#store.forget(text)
    }
  }
}

function bindingOf(fact: Fact): Binding | undefined {
  return 'binding' in fact ? fact.binding : undefined
}

/** `undefined` for what is no fact of ours, or of a later version. */
function decodeFact(text: string): Fact | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { exchange, queue, binding } = (value ?? {}) as Record<string, unknown>
  if (isExchange(exchange)) return { exchange }
  if (isQueue(queue)) return { queue }
  return isBinding(binding) ? { binding } : undefined
}

function isExchange(value: unknown): value is ExchangeDeclaration {
  const { name, type } = fields(value)
  return typeof name === 'string' && (type === 'direct' || type === 'topic' || type === 'fanout')
}

function isQueue(value: unknown): value is QueueDeclaration {
  const { name, expiresMs, messageTtlMs } = fields(value)
  return typeof name === 'string' && [expiresMs, messageTtlMs].every((ms) => ms === undefined || typeof ms === 'number')
}

function isBinding(value: unknown): value is Binding {
  const { queue, exchange, routingKey } = fields(value)
  return [queue, exchange, routingKey].every((name) => typeof name === 'string')
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
