import { type RedisServer, startRedis } from '@celery/test-servers'
import type { BullmqAnswer, BullmqCommand } from '../processes/bullmq-client.ts'
import type { SendingResult } from '../processes/measure-sending.ts'
import { MeasuredProcess } from '../processes/measured-process.ts'
import type { SendingCommand } from '../processes/raw-sender.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'

export interface SendingOptions {
  readonly name: string
  /** The module of its process. */
  readonly entry: 'bullmq-client' | 'raw-sender' | 'task-sender'
  /** Of that process; the address of its Redis is added. */
  readonly argument: Readonly<Record<string, unknown>>
}

/** Sends to a Redis of its own that nobody takes anything from: one by one, and many at a time. */
export class Sending implements Contestant {
  readonly name: string
  readonly #suite: SuiteOptions
  readonly #options: SendingOptions
  #redis: RedisServer | undefined
  #client: MeasuredProcess | undefined

  constructor(suite: SuiteOptions, options: SendingOptions) {
    this.name = options.name
    this.#suite = suite
    this.#options = options
  }

  async prepare(): Promise<void> {
    const { argument, entry } = this.#options
    this.#redis = await startRedis()
    this.#client = await MeasuredProcess.start(entry, {
      argument: { ...argument, url: this.#redis.url },
      cpuProfileFolder: this.#suite.cpuProfileFolder,
    })
    await this.run()
  }

  async run(): Promise<Readings> {
    const { tasks } = this.#suite
    const client = this.#client as MeasuredProcess
    client.send({ order: 'send', tasks } satisfies BullmqCommand & SendingCommand)
    const { inFlight, oneByOne } = await client.receive<SendingResult & BullmqAnswer>()
    return {
      oneByOneRate: tasks / oneByOne.seconds,
      inFlightRate: tasks / inFlight.seconds,
      inFlightProcessorMicros: (inFlight.processorSeconds * 1e6) / tasks,
    }
  }

  async dispose(): Promise<void> {
    await this.#client?.stop()
    await this.#redis?.close()
  }
}
