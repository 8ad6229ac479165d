/** A stand-in for the store that you have: named lists, and tables that all connections share. Knows nothing of Celery. */
import { deferred } from '@celery/promises'
import type { Binding, ExchangeDeclaration, QueueDeclaration } from '@celery/transport'

/** A message in its list. It keeps its place, however often it leaves and comes back. */
export interface Entry {
  readonly tag: string
  readonly payload: string
  readonly place: number
  readonly dropAtMs: number
  readonly deadReason: string | undefined
  redeliveries: number
}

export interface Held {
  readonly entry: Entry
  readonly owner: object
  readonly fence: number
}

export class List {
  readonly name: string
  ready: Entry[] = []
  readonly held: Map<string, Held> = new Map()
  readonly consumers: Set<object> = new Set()
  declaration: QueueDeclaration | undefined
  declaredBy: object | undefined
  lastUsedMs: number

  constructor(name: string, nowMs: number) {
    this.name = name
    this.lastUsedMs = nowMs
  }

  add(entry: Entry): void {
    this.ready.push(entry)
    this.ready.sort((one, other) => one.place - other.place)
  }

  dropExpired(nowMs: number): this {
    if (this.declaration?.messageTtlMs !== undefined) {
      this.ready = this.ready.filter(({ dropAtMs }) => dropAtMs > nowMs)
    }
    return this
  }
}

export class ListStore {
  readonly exchanges: Map<string, ExchangeDeclaration> = new Map()
  readonly lists: Map<string, List> = new Map()
  bindings: readonly Binding[] = []
  #count = 0
  #changed = deferred()

  /** A number that was not given before. */
  next(): number {
    return ++this.#count
  }

  /** The list of that name, made where there is none. */
  list(name: string, nowMs: number): List {
    const list = this.lists.get(name) ?? new List(name, nowMs)
    this.lists.set(name, list)
    return list
  }

  remove(name: string): void {
    this.lists.delete(name)
    this.bindings = this.bindings.filter(({ queue }) => queue !== name)
  }

  removeUnused(nowMs: number): void {
    for (const { name, lastUsedMs, declaration } of this.lists.values()) {
      if (nowMs - lastUsedMs >= (declaration?.expiresMs ?? Number.POSITIVE_INFINITY)) this.remove(name)
    }
  }

  /** Resolves at the next `notify()`. */
  changed(): Promise<void> {
    return this.#changed.promise
  }

  notify(): void {
    this.#changed.resolve()
    this.#changed = deferred()
  }
}
