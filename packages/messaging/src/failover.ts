import type { BrokerAddress } from '@celery/transport'

/**
 * In which order several brokers are tried (`broker_failover_strategy`): `round-robin` goes on with the next one and
 * stays with the one that answers, `shuffle` takes them in random order, all once before any a second time. A function
 * is given all of them and yields them in the order to try; it is called again where it ends.
 */
export type FailoverStrategy =
  | 'round-robin'
  | 'shuffle'
  | ((servers: readonly BrokerAddress[]) => Iterable<BrokerAddress>)

/** Which of several brokers is used, or tried next. */
export class Failover {
  readonly servers: readonly BrokerAddress[]
  readonly #order: (servers: readonly BrokerAddress[]) => Iterable<BrokerAddress>
  #round: Iterator<BrokerAddress>
  #current: BrokerAddress

  /** @throws RangeError for a strategy of another name, or one that yields nothing. */
  constructor(servers: readonly BrokerAddress[], strategy: FailoverStrategy) {
    this.servers = servers
    this.#order = orderOf(strategy)
    this.#round = this.#order(servers)[Symbol.iterator]()
    this.#current = this.#next()
  }

  get current(): BrokerAddress {
    return this.#current
  }

  /** The current one cannot be reached: takes the next one. */
  advance(): void {
    this.#current = this.#next()
  }

  #next(): BrokerAddress {
    let next = this.#round.next()
    if (next.done === true) {
      this.#round = this.#order(this.servers)[Symbol.iterator]()
      next = this.#round.next()
    }
    if (next.done === true) throw new RangeError('the failover strategy yields no broker; yield at least one')
    return next.value
  }
}

function orderOf(strategy: FailoverStrategy): (servers: readonly BrokerAddress[]) => Iterable<BrokerAddress> {
  if (typeof strategy === 'function') return strategy
  if (strategy === 'round-robin') return (servers) => servers
  if (strategy === 'shuffle') return shuffled
  throw new RangeError(
    `there is no failover strategy "${String(strategy)}"; use "round-robin", "shuffle" or a function that yields brokers`,
  )
}

function shuffled(servers: readonly BrokerAddress[]): readonly BrokerAddress[] {
  const order = [...servers]
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    const moved = order[last] as BrokerAddress
    order[last] = order[other] as BrokerAddress
    order[other] = moved
  }
  return order
}
