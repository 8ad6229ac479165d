import { DecodeError } from './errors.ts'
import { setOwn } from './set-own.ts'

/** Places that V8 gives to a list which something is added to. */
const FIRST_ROOM = 17

export interface TreeLimits {
  /** For errors. */
  readonly contentType: string
  readonly maxDepth: number
  /** Values, each counted as often as it would be written out. */
  readonly maxNodes: number
  /** Why a value that is no list, map or set must not be there. */
  readonly refuse?: (value: unknown) => string | undefined
}

/**
 * Makes what a program gets of what a parser built: maps become objects where all their keys are text and stay `Map`s
 * where not; what is shared stays shared. It is also what finds references that expand beyond all measure (the alias
 * bombs of YAML, the memo of pickle) and values that contain themselves.
 *
 * @throws DecodeError
 */
export function plainTree(value: unknown, limits: TreeLimits): unknown {
  return new TreeFinisher(limits).finish(value, 0)
}

class TreeFinisher {
  readonly #limits: TreeLimits
  /** What became of a container, and how many values are in it once it is written out. */
  readonly #finished = new Map<object, { readonly value: unknown; readonly nodes: number; readonly depth: number }>()
  #nodes = 0
  /** Depth below the container that was finished last. */
  #below = 0

  constructor(limits: TreeLimits) {
    this.#limits = limits
  }

  finish(value: unknown, depth: number): unknown {
    this.#count(1)
    this.#below = 0
    if (!(Array.isArray(value) || value instanceof Map || value instanceof Set)) {
      const reason = this.#limits.refuse?.(value)
      if (reason !== undefined) throw this.#error(reason)
      // Text that was put together character by character stays a tree of its parts until somebody looks at it.
      if (typeof value === 'string') value.charCodeAt(0)
      return value
    }
    const known = this.#finished.get(value)
    if (known !== undefined) {
      // Not walked again: a thousand references to a large list cost a thousand additions.
      this.#count(known.nodes)
      this.#enter(depth + known.depth)
      this.#below = known.depth
      return known.value
    }
    this.#enter(depth)
    const before = this.#nodes
    const [finished, below] = this.#container(value, depth + 1)
    this.#finished.set(value, { value: finished, nodes: this.#nodes - before, depth: below })
    this.#below = below
    return finished
  }

  #container(value: unknown[] | Map<unknown, unknown> | Set<unknown>, depth: number): [unknown, number] {
    let below = 0
    const inside = (item: unknown): unknown => {
      const finished = this.finish(item, depth)
      below = Math.max(below, isContainer(item) ? this.#below + 1 : 0)
      return finished
    }
    if (Array.isArray(value)) {
      // A list that grew has room for many more.
      const items = value.length < FIRST_ROOM ? value.slice() : value
      for (let index = 0; index < items.length; index++) items[index] = inside(items[index])
      return [items, below]
    }
    if (value instanceof Set) return [new Set(Array.from(value, inside)), below]
    if (![...value.keys()].every((key) => typeof key === 'string')) {
      return [new Map(Array.from(value, ([key, item]) => [inside(key), inside(item)])), below]
    }
    const object: Record<string, unknown> = {}
    for (const [key, item] of value) setOwn(object, inside(key) as string, inside(item))
    return [object, below]
  }

  #enter(depth: number): void {
    if (depth >= this.#limits.maxDepth) throw this.#error(`nested deeper than ${this.#limits.maxDepth}, or in itself`)
  }

  #count(nodes: number): void {
    this.#nodes += nodes
    if (this.#nodes > this.#limits.maxNodes) throw this.#error(`more than ${this.#limits.maxNodes} values`)
  }

  #error(reason: string): DecodeError {
    return new DecodeError(this.#limits.contentType, reason)
  }
}

function isContainer(value: unknown): boolean {
  return Array.isArray(value) || value instanceof Map || value instanceof Set
}
