import { OptionReader } from '@celery/redis'

/** What `broker_transport_options` hold for this transport, by Celery's names; times as milliseconds. */
export interface RedisBrokerSettings {
  /** Age at which messages of Python workers that nobody has settled are put back. */
  readonly visibilityTimeoutMs: number
  readonly unackedKey: string
  readonly unackedIndexKey: string
  readonly unackedMutexKey: string
  readonly unackedMutexExpireMs: number
  /** From one search for those to the next. */
  readonly unackedRestoreEveryMs: number
  /** Most messages that are put back at a time; `undefined` for all. */
  readonly unackedRestoreLimit: number | undefined
  /** Lists of a queue, by the least priority of each; ascending. */
  readonly prioritySteps: readonly number[]
  /** Between the parts of a key or a binding. */
  readonly separator: string
  readonly queueOrder: QueueOrder
  /** Longest pause between two looks where the server does not tell. */
  readonly pollingMs: number
  /** How long owners have to renew leases that ended while nobody could renew any. */
  readonly takeoverGraceMs: number
}

/** Which of several queues comes first: each in turn, or always in the order of their names, or as they were given. */
export type QueueOrder = 'round_robin' | 'sorted' | 'priority'

/** @throws InvalidRedisAddressError naming the option */
export function readBrokerSettings(
  address: string,
  sources: readonly Readonly<Record<string, unknown>>[],
): RedisBrokerSettings {
  const reader = new OptionReader(address, sources)
  const order = reader.text('queue_order_strategy') ?? 'round_robin'
  if (!isQueueOrder(order)) throw reader.invalid('queue_order_strategy', `is none of ${queueOrders.join(', ')}`)
  return {
    visibilityTimeoutMs: reader.milliseconds('visibility_timeout', 3_600_000),
    unackedKey: reader.text('unacked_key') ?? 'unacked',
    unackedIndexKey: reader.text('unacked_index_key') ?? 'unacked_index',
    unackedMutexKey: reader.text('unacked_mutex_key') ?? 'unacked_mutex',
    unackedMutexExpireMs: reader.milliseconds('unacked_mutex_expire', 300_000),
    unackedRestoreEveryMs: readRestoreInterval(reader),
    unackedRestoreLimit: readRestoreLimit(reader),
    prioritySteps: readSteps(reader),
    separator: readSeparator(reader),
    queueOrder: order,
    pollingMs: reader.milliseconds('polling_interval', 1_000),
    takeoverGraceMs: reader.milliseconds('takeover_grace', 10_000),
  }
}

const queueOrders: readonly QueueOrder[] = ['round_robin', 'sorted', 'priority']

function isQueueOrder(value: string): value is QueueOrder {
  return queueOrders.some((order) => order === value)
}

function readRestoreLimit(reader: OptionReader): number | undefined {
  const limit = reader.number('unacked_restore_limit')
  if (limit === undefined || Number.isInteger(limit)) return limit
  throw reader.invalid('unacked_restore_limit', 'is not a whole number')
}

/** Without one the lists of a queue could not be told from those of another queue, nor the parts of a binding. */
function readSeparator(reader: OptionReader): string {
  const separator = reader.text('sep') ?? '\x06\x16'
  if (separator === '') throw reader.invalid('sep', 'is empty: write what stands between the parts of a key')
  return separator
}

/** kombu ticks every `unacked_restore_interval` seconds and searches at every so many of those: by default every 100 s. */
function readRestoreInterval(reader: OptionReader): number {
  const tickMs = reader.milliseconds('unacked_restore_interval', 10_000)
  const ticks = reader.number('unacked_restore_throttle') ?? 10
  if (tickMs * ticks >= shortestRestoreMs) return tickMs * ticks
  const name = tickMs < shortestRestoreMs ? 'unacked_restore_interval' : 'unacked_restore_throttle'
  throw reader.invalid(name, 'has workers search without a pause: let a second or more be between two')
}

const shortestRestoreMs = 1_000

function readSteps(reader: OptionReader): readonly number[] {
  const steps = reader.value('priority_steps') ?? [0, 3, 6, 9]
  if (!Array.isArray(steps) || steps.length === 0) throw reader.invalid('priority_steps', 'is not a list of numbers')
  for (const step of steps) {
    if (!Number.isInteger(step) || step < 0 || step > 9) {
      throw reader.invalid('priority_steps', 'holds something else than whole numbers from 0 to 9')
    }
  }
  // The first one is the plain list, as kombu has it, so it has to be 0.
  return [...new Set<number>([0, ...steps])].sort((a, b) => a - b)
}
