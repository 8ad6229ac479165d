import { isDeadLetterQueue } from '@celery/transport'

/** What the names of keys depend on. */
export interface KeyNames {
  /** Before every key. */
  readonly prefix: string
  readonly separator: string
  readonly prioritySteps: readonly number[]
  readonly unackedKey: string
  readonly unackedIndexKey: string
  readonly unackedMutexKey: string
}

/**
 * The names of all keys. Celery's own, which Python shares:
 *
 * | key | type | |
 * | --- | --- | --- |
 * | `<queue>`, `<queue><sep>3` … | list | messages by priority, taken from the right |
 * | `unacked` | hash | tag of a delivery: `[envelope, exchange, routing key]` |
 * | `unacked_index` | sorted set | tag: seconds at which it was delivered, or last renewed |
 * | `unacked_mutex` | string | who puts back lost messages of Python workers just now |
 * | `_kombu.binding.<exchange>` | set | `<routing key><sep><pattern><sep><queue>` |
 *
 * And ours, which Python leaves alone; times are in milliseconds of the server's clock:
 *
 * | key | type | |
 * | --- | --- | --- |
 * | `_celery.owners` | sorted set | session that holds messages: end of its lease |
 * | `_celery.held.<session>` | set | tags of what it holds |
 * | `_celery.renewed` | string | when anybody renewed a lease, or looked for ended ones, last |
 * | `_celery.eta` | sorted set | tag of a parked message: when it is due |
 * | `_celery.delayed` | hash | queue: how many are parked |
 * | `_celery.put.<connection>`, `_celery.settled.<connection>` | string, hash | what that connection carried out last |
 * | `_celery.exchanges` | hash | exchange: its declaration |
 * | `_celery.mark` | string | something that is another one after the server was flushed |
 * | `_celery.queues` | hash | queue that is not a plain one: its declaration |
 * | `_celery.used` | sorted set | queue that goes away without use: when |
 * | `_celery.consumers.<queue>`, `_celery.exclusive.<session>` | set | sessions that fetch from it; queues that end with it |
 * | `<queue>.dead` | list | dead letters |
 *
 * A tag is `<session>.<count>.<step>@<queue>`: it tells whose delivery it is, which one, and the list that it came from.
 */
export class Keys {
  readonly prefix: string
  readonly separator: string
  readonly steps: readonly number[]
  readonly unacked: string
  readonly index: string
  readonly mutex: string
  readonly owners: string
  readonly renewed: string
  readonly eta: string
  readonly delayed: string
  readonly exchanges: string
  readonly mark: string
  readonly queues: string
  readonly used: string

  constructor(names: KeyNames) {
    const { prefix, separator, prioritySteps } = names
    this.prefix = prefix
    this.separator = separator
    this.steps = prioritySteps
    this.unacked = prefix + names.unackedKey
    this.index = prefix + names.unackedIndexKey
    this.mutex = prefix + names.unackedMutexKey
    this.owners = `${prefix}_celery.owners`
    this.renewed = `${prefix}_celery.renewed`
    this.eta = `${prefix}_celery.eta`
    this.delayed = `${prefix}_celery.delayed`
    this.exchanges = `${prefix}_celery.exchanges`
    this.mark = `${prefix}_celery.mark`
    this.queues = `${prefix}_celery.queues`
    this.used = `${prefix}_celery.used`
  }

  held(session: string): string {
    return `${this.prefix}_celery.held.${session}`
  }

  /** Number of the last call by which a connection put messages, or `closed`. */
  put(connection: string): string {
    return `${this.prefix}_celery.put.${connection}`
  }

  /** Number and results of the last call by which a connection settled; or that it is closed. */
  settled(connection: string): string {
    return `${this.prefix}_celery.settled.${connection}`
  }

  exclusive(session: string): string {
    return `${this.prefix}_celery.exclusive.${session}`
  }

  consumers(queue: string): string {
    return `${this.prefix}_celery.consumers.${queue}`
  }

  binding(exchange: string): string {
    return `${this.prefix}_kombu.binding.${exchange}`
  }

  /** As kombu's `_q_for_pri`: step 0 is the bare name of the queue. */
  list(queue: string, step: number): string {
    return step === 0 ? this.prefix + queue : `${this.prefix}${queue}${this.separator}${step}`
  }

  /** Where a message goes. */
  listOf({ queue, priority }: { readonly queue: string; readonly priority: number }): string {
    return this.list(queue, this.step(queue, priority))
  }

  /** All lists of a queue, the one that is served first in front. */
  lists(queue: string): string[] {
    return this.steps.map((step) => this.list(queue, step))
  }

  /** The step of a message: the greatest that is not beyond its priority. Dead letters stay in their order. */
  step(queue: string, priority: number): number {
    if (isDeadLetterQueue(queue)) return 0
    let found = 0
    for (const step of this.steps) if (step <= priority) found = step
    return found
  }
}

/** What a tag says. */
export interface TagParts {
  readonly session: string
  readonly count: number
  readonly step: number
  readonly queue: string
}

/** In a sorted set, one member that is longer than 64 bytes makes the server index them, where else it walks along all. */
export const shortestTag = 65

/** As the script that fetches makes them: with zeros before the count, so that the tag is long enough. */
export function makeTag({ session, count, step, queue }: TagParts): string {
  const width = shortestTag - Buffer.byteLength(session) - Buffer.byteLength(queue) - 4
  return `${session}.${String(count).padStart(width, '0')}.${step}@${queue}`
}

/** `undefined` for tags that are not ours. */
export function parseTag(tag: string): TagParts | undefined {
  const match = /^([A-Za-z0-9-]+)\.(\d+)\.(\d)@(.*)$/s.exec(tag)
  if (match === null) return undefined
  const [, session = '', count, step, queue = ''] = match
  return { session, count: Number(count), step: Number(step), queue }
}
