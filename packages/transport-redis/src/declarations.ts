import type { RedisClient } from '@celery/redis'
import type { Binding, ExchangeDeclaration, QueueDeclaration, QueueInfo } from '@celery/transport'
import { Declared } from './declared.ts'
import { Exchanges } from './exchanges.ts'
import type { Keys } from './keys.ts'
import type { QueueOwner, Queues } from './queues.ts'
import type { Session } from './session.ts'

export interface DeclarationsOptions {
  readonly leaseMs: number
  readonly session: Session
}

/** Exchanges, queues and bindings as one connection declares them: what is to last is declared again after a flush. */
export class Declarations {
  readonly #exchanges: Exchanges
  readonly #queues: Queues
  readonly #declared: Declared
  readonly #session: Session
  readonly #owner: QueueOwner

  constructor(client: RedisClient, keys: Keys, queues: Queues, { leaseMs, session }: DeclarationsOptions) {
    this.#exchanges = new Exchanges(client, keys)
    this.#queues = queues
    this.#declared = new Declared(client, keys)
    this.#session = session
    this.#owner = { leaseMs, session: session.id }
  }

  async declareExchange(exchange: ExchangeDeclaration): Promise<void> {
    const declare = (): Promise<void> => this.#exchanges.declare(exchange)
    this.#declared.note(`exchange ${exchange.name}`, declare)
    await declare()
  }

  async deleteExchange(name: string): Promise<void> {
    this.#declared.forget(`exchange ${name}`)
    await this.#exchanges.delete(name)
  }

  async exchange(name: string): Promise<ExchangeDeclaration | undefined> {
    const exchange = await this.#exchanges.get(name)
    // Who finds it there does not declare it, and relies on it all the same.
    if (exchange !== undefined && !this.#declared.has(`exchange ${name}`)) {
      this.#declared.note(`exchange ${name}`, () => this.#exchanges.declare(exchange))
    }
    return exchange
  }

  async declareQueue(queue: QueueDeclaration): Promise<QueueInfo> {
    if (queue.exclusive === true) this.#session.hasQueues = true
    const declare = (): Promise<QueueInfo> => this.#queues.declare(queue, this.#owner)
    // Others end by themselves, and must not come back.
    const isLasting = queue.exclusive !== true && queue.autoDelete !== true && queue.expiresMs === undefined
    if (isLasting) this.#declared.note(`queue ${queue.name}`, declare)
    return await declare()
  }

  async deleteQueue(name: string): Promise<number> {
    this.#declared.forget(`queue ${name}`)
    return await this.#queues.delete(name)
  }

  async bind(binding: Binding): Promise<void> {
    const bind = (): Promise<void> => this.#exchanges.bind(binding)
    if (this.#declared.has(`queue ${binding.queue}`)) {
      this.#declared.note(bindingName(binding), async () => {
        if (this.#declared.has(`queue ${binding.queue}`)) await bind()
      })
    }
    await bind()
  }

  async unbind(binding: Binding): Promise<void> {
    this.#declared.forget(bindingName(binding))
    await this.#exchanges.unbind(binding)
  }

  bindings(exchange: string): Promise<readonly Binding[]> {
    return this.#exchanges.bindings(exchange, () => this.#queues.deleteUnused())
  }

  /** Declares nothing again from now on. */
  stop(): void {
    this.#declared.stop()
  }
}

function bindingName({ exchange, queue, routingKey }: Binding): string {
  return `binding ${JSON.stringify([exchange, queue, routingKey])}`
}
