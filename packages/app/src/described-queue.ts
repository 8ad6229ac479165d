import { Exchange, Queue, type QueueBindingData, type QueueData } from '@celery/messaging'
import { closestName } from '@celery/promises'
import { camelCase } from './name-spelling.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'

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

/** As kombu's `Queue.from_dict`, except that a name it does not know is an error. */
export function queueFromData(data: unknown, defaultExchange: Exchange): Queue {
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

/** @throws ImproperlyConfiguredError that names the setting */
export function exchangeType(setting: string, type: unknown): Exchange['type'] {
  const known = exchangeTypes.find((candidate) => candidate === type)
  if (known !== undefined) return known
  const problem = `there is no exchange type ${JSON.stringify(type)}; use ${exchangeTypes.join(', ')}`
  throw new ImproperlyConfiguredError(setting, `${setting}: ${problem}`)
}

const exchangeTypes = ['direct', 'topic', 'fanout', 'headers'] as const

function invalid(problem: string): ImproperlyConfiguredError {
  return new ImproperlyConfiguredError('taskQueues', `taskQueues: ${problem}`)
}
