import { Broadcast, Exchange, Queue, type QueueOptions } from '@celery/messaging'
import { closestName, RecentlyUsed } from '@celery/promises'
import { QueueNotFoundError } from './call-errors.ts'
import {
  exchangeType,
  type NamedTaskQueue,
  queueFromData,
  type TaskQueueOptions,
  type TaskQueuesSetting,
} from './described-queue.ts'
import type { Settings } from './settings.ts'

type QueueSettings = Readonly<
  Pick<
    Settings,
    | 'taskQueues'
    | 'taskQueueMaxPriority'
    | 'taskCreateMissingQueues'
    | 'taskCreateMissingQueueType'
    | 'taskCreateMissingQueueExchangeType'
    | 'taskDefaultQueue'
    | 'taskDefaultQueueType'
    | 'taskDefaultExchange'
    | 'taskDefaultExchangeType'
    | 'taskDefaultRoutingKey'
  >
>

/** Queues that were named and that nobody described: a program may have one for each of its users, and runs for years. */
const mostMissing = 1_000

/**
 * The queues that an app knows, by name: those of `taskQueues`, else the default queue alone, and those that were added since
 * or, unless `taskCreateMissingQueues` is off, named last. A worker consumes from those that were selected, else from all but
 * those that were only named.
 */
export class TaskQueues {
  readonly #settings: QueueSettings
  readonly #queues = new Map<string, Queue>()
  readonly #aliases = new Map<string, Queue>()
  /** Those that `get` made. */
  readonly #missing = new RecentlyUsed<Queue>(mostMissing)
  #read: TaskQueuesSetting | false | undefined = false
  #selected: ReadonlySet<string> | undefined

  constructor(settings: QueueSettings) {
    this.#settings = settings
  }

  /** All names, in order. */
  get names(): readonly string[] {
    return [...this.#known().keys(), ...this.#missing.keys]
  }

  /**
   * The queues that a worker consumes from. What was made for a call that names it is none of them: which they are must not
   * depend on what the program has sent before.
   */
  get consumed(): readonly Queue[] {
    if (this.#selected === undefined) return [...this.#known().values()]
    return [...this.#selected].map((name) => this.get(name))
  }

  /**
   * What those who publish to the queues that are known must find: the queues behind exchanges that look at the routing key, and
   * of a broadcast the exchange, as each consumer makes a queue of its own.
   */
  get published(): readonly (Exchange | Queue)[] {
    const routed = this.#all.filter(({ exchange }) => exchange !== undefined && exchange.type !== 'direct')
    return routed.map((queue) => (queue instanceof Broadcast ? (queue.exchange as Exchange) : queue))
  }

  /** Whether there is a queue of that name or alias already. */
  has(name: string): boolean {
    return this.#known().has(name) || this.#aliases.has(name) || this.#missing.has(name)
  }

  /**
   * The queue of that name or alias. One that is not there is made, and is the same one while it is among the 1,000 that were
   * made so and asked for last.
   * @throws QueueNotFoundError where `taskCreateMissingQueues` is off.
   */
  get(name: string): Queue {
    const queue = this.#known().get(name) ?? this.#aliases.get(name) ?? this.#missing.get(name)
    if (queue !== undefined) return queue
    if (this.#settings.taskCreateMissingQueues) {
      const made = this.#undescribed(name)
      this.#missing.set(name, made)
      return made
    }
    throw new QueueNotFoundError(name, this.names, closestName(name, [...this.names, ...this.#aliases.keys()]))
  }

  /** Adds a queue; one of that name gives way. A worker of this app that selects none consumes from it too. */
  add(queue: Queue | string | NamedTaskQueue): Queue {
    this.#known()
    return this.#add(this.#make(queue))
  }

  /** Consumes from these only: `-Q`. None means all. @throws QueueNotFoundError */
  select(names: readonly string[]): void {
    if (names.length === 0) return
    // They stay, however many others are named meanwhile.
    this.#selected = new Set(names.map((name) => this.#add(this.get(name)).name))
  }

  /** Adds a queue, and consumes from it although others are selected. */
  selectAdd(queue: Queue | string | NamedTaskQueue): Queue {
    const added = this.add(queue)
    if (this.#selected !== undefined) this.#selected = new Set([...this.#selected, added.name])
    return added
  }

  /** Consumes from all but these: `-X`. A name that no queue has is passed over. */
  deselect(names: readonly string[]): void {
    if (names.length === 0) return
    const all = this.consumed.map(({ name }) => name)
    const excluded = new Set(names.map((name) => this.#aliases.get(name)?.name ?? name))
    this.#selected = new Set(all.filter((name) => !excluded.has(name)))
  }

  /** Queues for people, a line each, as a worker's banner shows them. */
  format(queues: readonly Queue[] = this.consumed): string {
    const width = Math.max(16, ...queues.map(({ name }) => name.length))
    return queues
      .map(({ exchange, name, routingKey }) => {
        return `${name.padEnd(width)} exchange=${exchange?.name ?? ''}(${exchange?.type ?? 'direct'}) key=${routingKey}`
      })
      .join('\n')
  }

  /** Reads the setting at the first look, and again when it is another value. */
  #known(): ReadonlyMap<string, Queue> {
    const { taskQueues } = this.#settings
    if (this.#read === taskQueues) return this.#queues
    const queues = this.#fromSettings(taskQueues)
    // Not before: what is wrong with them is said as often as they are looked at.
    this.#read = taskQueues
    this.#queues.clear()
    this.#aliases.clear()
    this.#missing.clear()
    for (const queue of queues) this.#add(queue)
    return this.#queues
  }

  #fromSettings(given: TaskQueuesSetting | undefined): readonly Queue[] {
    const entries = given === undefined ? [] : isList(given) ? given : namedEntries(given)
    if (entries.length > 0) return entries.map((entry) => this.#make(entry))
    const { taskDefaultQueue, taskDefaultQueueType } = this.#settings
    return [this.#bound(new Queue(taskDefaultQueue, { arguments: typeArguments(taskDefaultQueueType) }))]
  }

  get #all(): readonly Queue[] {
    return [...this.#known().values(), ...this.#missing.values]
  }

  #add(queue: Queue): Queue {
    this.#queues.set(queue.name, queue)
    this.#missing.delete(queue.name)
    if (queue.alias !== undefined) this.#aliases.set(queue.alias, queue)
    return queue
  }

  #make(entry: unknown): Queue {
    if (typeof entry === 'string') return this.#undescribed(entry)
    if (entry instanceof Queue) return this.#bound(entry)
    return this.#bound(queueFromData(entry, this.#defaultExchange))
  }

  /** A queue that nobody has described: an exchange and a routing key of the same name. */
  #undescribed(name: string): Queue {
    const { taskCreateMissingQueueExchangeType, taskCreateMissingQueueType } = this.#settings
    const type = exchangeType('taskCreateMissingQueueExchangeType', taskCreateMissingQueueExchangeType ?? 'direct')
    return this.#bound(
      new Queue(name, {
        exchange: new Exchange(name, { type }),
        routingKey: name,
        arguments: typeArguments(taskCreateMissingQueueType),
      }),
    )
  }

  /** With what the settings say where the queue itself says nothing. */
  #bound(queue: Queue): Queue {
    const { taskDefaultQueue, taskDefaultRoutingKey, taskQueueMaxPriority } = this.#settings
    const named = queue.exchange !== undefined && queue.exchange.name !== ''
    const changes: QueueOptions = {
      ...(named ? undefined : { exchange: this.#defaultExchange }),
      ...(queue.routingKey === '' && queue.exchange?.type !== 'fanout'
        ? { routingKey: taskDefaultRoutingKey ?? taskDefaultQueue }
        : undefined),
      ...(taskQueueMaxPriority === undefined || hasPriority(queue) ? undefined : { maxPriority: taskQueueMaxPriority }),
    }
    return Object.keys(changes).length === 0 ? queue : queue.with(changes)
  }

  get #defaultExchange(): Exchange {
    const { taskDefaultExchange, taskDefaultExchangeType, taskDefaultQueue } = this.#settings
    const type = exchangeType('taskDefaultExchangeType', taskDefaultExchangeType)
    return new Exchange(taskDefaultExchange ?? taskDefaultQueue, { type })
  }
}

function isList(setting: TaskQueuesSetting): setting is Extract<TaskQueuesSetting, readonly unknown[]> {
  return Array.isArray(setting)
}

function namedEntries(queues: Readonly<Record<string, TaskQueueOptions>>): readonly NamedTaskQueue[] {
  return Object.entries(queues).map(([name, options]) => ({ ...options, name }))
}

function typeArguments(type: 'classic' | 'quorum'): QueueOptions['arguments'] {
  return type === 'classic' ? undefined : { 'x-queue-type': type }
}

function hasPriority({ declaration }: Queue): boolean {
  return declaration.arguments !== undefined && 'x-max-priority' in declaration.arguments
}
