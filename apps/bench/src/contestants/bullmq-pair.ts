import { type RedisServer, startRedis } from '@celery/test-servers'
import type { BullmqArgument } from '../processes/bullmq.ts'
import type { BullmqAnswer, BullmqCommand } from '../processes/bullmq-client.ts'
import type { DrainCommand } from '../processes/drain-worker.ts'
import type { Spent } from '../processes/measured.ts'
import { MeasuredProcess } from '../processes/measured-process.ts'
import type { Readings } from '../suite.ts'
import type { IdlePair } from './round-trips.ts'
import { ServerUsage } from './server-usage.ts'

export interface BullmqPairOptions extends Omit<BullmqArgument, 'url'> {
  readonly cpuProfileFolder: string | undefined
}

/** A worker of BullMQ and a client, each in a process of its own, on a Redis of their own. */
export class BullmqPair implements IdlePair {
  readonly #options: BullmqPairOptions
  #redis: RedisServer | undefined
  #worker: MeasuredProcess | undefined
  #client: MeasuredProcess | undefined

  constructor(options: BullmqPairOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { cpuProfileFolder, padding, results } = this.#options
    this.#redis = await startRedis()
    const argument: BullmqArgument = { url: this.#redis.url, padding, results }
    this.#worker = await MeasuredProcess.start('bullmq-worker', { argument, cpuProfileFolder })
    this.#client = await MeasuredProcess.start('bullmq-client', { argument })
  }

  /** Fills the queue while the worker stands still, then lets it run all jobs. */
  async drain(tasks: number): Promise<Spent & { readonly server: Readings }> {
    const worker = this.#worker as MeasuredProcess
    worker.send({ tasks } satisfies DrainCommand)
    await worker.receive()
    await this.#order({ order: 'fill', tasks })
    const usage = new ServerUsage(this.#redis as RedisServer)
    usage.start()
    worker.release()
    const spent = await worker.receive<Spent>()
    return { ...spent, server: usage.readings(tasks) }
  }

  /** Milliseconds from the call to its result, each call after the one before. */
  async call(calls: number): Promise<readonly number[]> {
    return (await this.#order({ order: 'call', calls })) as readonly number[]
  }

  /** Safe where it never started, or only in part. */
  async close(): Promise<void> {
    await this.#client?.stop()
    await this.#worker?.stop()
    await this.#redis?.close()
  }

  #order(command: BullmqCommand): Promise<BullmqAnswer> {
    const client = this.#client as MeasuredProcess
    client.send(command)
    return client.receive<BullmqAnswer>()
  }
}
