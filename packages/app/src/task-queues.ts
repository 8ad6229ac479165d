import { Broadcast, Exchange, Queue, type QueueBindingData, type QueueData, type QueueOptions } from '@celery/messaging'
import { closestName } from '@celery/promises'
import { ImproperlyConfiguredError, QueueNotFoundError } from './app-errors.ts'
import { camelCase } from './setting-names.ts'
import type { Settings } from './settings.ts'

/** The setting `taskQueues`: queues, their names, or what there is to say of each name. */
export type TaskQueuesSetting =
  | readonly (Queue | string | NamedTaskQueue)[]
  | Readonly<Record<string, TaskQueueOptions>>

/** A queue as data, in a configuration file for example. Celery's names; snake_case is understood too. */
export interface TaskQueueOptions {
  /** The exchange it is bound to, by name or as one. @defaultValue `taskDefaultExchange` */
  readonly exchange?: string | Exchange
  /** @defaultValue `'direct'` */
  readonly exchangeType?: Exchange['type']
  /** Key or pattern of the binding. @defaultValue the queue's name */
  readonly routingKey?: string
  /** Another name of `routingKey`. */
  readonly bindingKey?: string
  /** What a `headers` exchange compares. */
  readonly bindingArguments?: Readonly<Record<string, unknown>>
  /** Further ways into it. */
  readonly bindings?: readonly QueueBindingData[]
  /** Of queue and exchange. @defaultValue `true` */
  readonly durable?: boolean
  /** Of queue and exchange. @defaultValue `false` */
  readonly autoDelete?: boolean
  readonly exclusive?: boolean
  readonly noAck?: boolean
  /** Leaves it as it is: somebody else declares it. */
  readonly noDeclare?: boolean
  /** Seconds without use after which it goes away. */
  readonly expires?: number
  /** Seconds after which a message in it goes away. */
  readonly messageTtl?: number
  readonly maxLength?: number
  readonly maxLengthBytes?: number
  /** @defaultValue `taskQueueMaxPriority` */
  readonly maxPriority?: number
  /** The broker's own. */
  readonly queueArguments?: Readonly<Record<string, unknown>>
  /** The broker's own. */
  readonly exchangeArguments?: Readonly<Record<string, unknown>>
  /** Another name to route to. */
  readonly alias?: string
}

export interface NamedTaskQueue extends TaskQueueOptions {
  readonly name: string
}

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

/**
 * The queues that an app knows, by name: those of `taskQueues`, else the default queue alone, and those that were named
 * since, unless `taskCreateMissingQueues` is off. A worker consumes from all of them, or from those that were selected.
 */
export class TaskQueues {
  readonly #settings: QueueSettings
  readonly #queues = new Map<string, Queue>()
  readonly #aliases = new Map<string, Queue>()
  #read: TaskQueuesSetting | false | undefined = false
  #selected: ReadonlySet<string> | undefined

  constructor(settings: QueueSettings) {
    this.#settings = settings
  }

  /** All names, in order. */
  get names(): readonly string[] {
    return [...this.#known().keys()]
  }

  /** The queues that a worker consumes from. */
  get consumed(): readonly Queue[] {
    const queues = this.#known()
    if (this.#selected === undefined) return [...queues.values()]
    return [...this.#selected].map((name) => this.get(name))
  }

  /**
   * What those who publish to the queues that are known must find: the queues behind exchanges that look at the routing key, and
   * of a broadcast the exchange, as each consumer makes a queue of its own.
   */
  get published(): readonly (Exchange | Queue)[] {
    const routed = [...this.#known().values()].filter(
      ({ exchange }) => exchange !== undefined && exchange.type !== 'direct',
    )
    return routed.map((queue) => (queue instanceof Broadcast ? (queue.exchange as Exchange) : queue))
  }

  /** Whether there is a queue of that name or alias already. */
  has(name: string): boolean {
    return this.#known().has(name) || this.#aliases.has(name)
  }

  /**
   * The queue of that name or alias. One that is not there is made.
   * @throws QueueNotFoundError where `taskCreateMissingQueues` is off.
   */
  get(name: string): Queue {
    const queue = this.#known().get(name) ?? this.#aliases.get(name)
    if (queue !== undefined) return queue
    if (this.#settings.taskCreateMissingQueues) return this.#add(this.#missing(name))
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
    this.#selected = new Set(names.map((name) => this.get(name).name))
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

  /** The consumed queues for people, a line each, as a worker's banner shows them. */
  format(): string {
    return this.consumed
      .map((queue) => {
        const { exchange, name, routingKey } = queue
        return `${name.padEnd(16)} exchange=${exchange?.name ?? ''}(${exchange?.type ?? 'direct'}) key=${routingKey}`
      })
      .join('\n')
  }

  /** Reads the setting at the first look, and again when it is another value. */
  #known(): ReadonlyMap<string, Queue> {
    const { taskQueues } = this.#settings
    if (this.#read === taskQueues) return this.#queues
    this.#read = taskQueues
    this.#queues.clear()
    this.#aliases.clear()
    for (const queue of this.#fromSettings(taskQueues)) this.#add(queue)
    return this.#queues
  }

  #fromSettings(given: TaskQueuesSetting | undefined): readonly Queue[] {
    const entries = given === undefined ? [] : isList(given) ? given : namedEntries(given)
    if (entries.length > 0) return entries.map((entry) => this.#make(entry))
    const { taskDefaultQueue, taskDefaultQueueType } = this.#settings
    return [this.#bound(new Queue(taskDefaultQueue, { arguments: typeArguments(taskDefaultQueueType) }))]
  }

  #add(queue: Queue): Queue {
    this.#queues.set(queue.name, queue)
    if (queue.alias !== undefined) this.#aliases.set(queue.alias, queue)
    return queue
  }

  #make(entry: unknown): Queue {
    if (typeof entry === 'string') return this.#missing(entry)
    if (entry instanceof Queue) return this.#bound(entry)
    return this.#bound(queueFromData(entry, this.#defaultExchange))
  }

  /** A queue that nobody has described: an exchange and a routing key of the same name. */
  #missing(name: string): Queue {
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

/** As kombu's `Queue.from_dict`, except that a name it does not know is an error. */
function queueFromData(data: unknown, defaultExchange: Exchange): Queue {
  if (typeof data !== 'object' || data === null) throw invalid('each queue must be a Queue, a name or an object')
  const given = Object.fromEntries(Object.entries(data).map(([name, value]) => [camelCase(name), value]))
  for (const name of Object.keys(given)) assertOption(name)
  const { name, exchange, exchangeType: type, exchangeArguments, queueArguments, bindingKey, ...rest } = given
  if (typeof name !== 'string' || name === '') throw invalid('each queue needs a name')
  const { autoDelete, durable } = rest
  const bound =
    exchange instanceof Exchange
      ? exchange
      : exchange === undefined && type === undefined
        ? defaultExchange
        : new Exchange(String(exchange ?? defaultExchange.name), {
            type: exchangeType(`taskQueues: exchangeType of "${name}"`, type ?? 'direct'),
            autoDelete: autoDelete as boolean | undefined,
            durable: durable as boolean | undefined,
            arguments: exchangeArguments as Readonly<Record<string, unknown>> | undefined,
          })
  const routingKey = (rest['routingKey'] ?? bindingKey ?? name) as string
  return Queue.from({ ...rest, name, arguments: queueArguments } as QueueData).with({ exchange: bound, routingKey })
}

const optionNames = [
  'name',
  'exchange',
  'exchangeType',
  'routingKey',
  'bindingKey',
  'bindingArguments',
  'bindings',
  'durable',
  'autoDelete',
  'exclusive',
  'noAck',
  'noDeclare',
  'expires',
  'messageTtl',
  'maxLength',
  'maxLengthBytes',
  'maxPriority',
  'queueArguments',
  'exchangeArguments',
  'alias',
] as const satisfies readonly (keyof NamedTaskQueue)[]

function assertOption(name: string): void {
  if ((optionNames as readonly string[]).includes(name)) return
  const closest = closestName(name, optionNames)
  throw invalid(`a queue has no option "${name}"${closest === undefined ? '' : `; did you mean ${closest}?`}`)
}

function exchangeType(setting: string, type: unknown): Exchange['type'] {
  const known = exchangeTypes.find((candidate) => candidate === type)
  if (known !== undefined) return known
  const problem = `there is no exchange type ${JSON.stringify(type)}; use ${exchangeTypes.join(', ')}`
  throw new ImproperlyConfiguredError(setting, `${setting}: ${problem}`)
}

const exchangeTypes = ['direct', 'topic', 'fanout', 'headers'] as const

function typeArguments(type: 'classic' | 'quorum'): QueueOptions['arguments'] {
  return type === 'classic' ? undefined : { 'x-queue-type': type }
}

function hasPriority({ declaration }: Queue): boolean {
  return declaration.arguments !== undefined && 'x-max-priority' in declaration.arguments
}

function invalid(problem: string): ImproperlyConfiguredError {
  return new ImproperlyConfiguredError('taskQueues', `taskQueues: ${problem}`)
}
