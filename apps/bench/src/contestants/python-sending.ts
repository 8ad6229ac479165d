import { type RedisServer, startRedis } from '@celery/test-servers'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { PythonClient } from './python-client.ts'

/** A client of the original, whose calls return when Redis has confirmed: there is only one by one. */
export class PythonSending implements Contestant {
  readonly name: string
  readonly #tasks: number
  readonly #argumentBytes: number
  #redis: RedisServer | undefined
  #client: PythonClient | undefined

  constructor({ tasks }: SuiteOptions, { name, padding }: { readonly name: string; readonly padding: string }) {
    this.name = name
    this.#tasks = tasks
    this.#argumentBytes = padding.length
  }

  async prepare(): Promise<void> {
    this.#redis = await startRedis()
    this.#client = new PythonClient(this.#redis.url)
    await this.run()
  }

  async run(): Promise<Readings> {
    const order = { argumentBytes: this.#argumentBytes, tasks: this.#tasks }
    const { seconds } = await (this.#client as PythonClient).carryOut('send', order)
    const rate = this.#tasks / seconds
    return { oneByOneRate: rate, inFlightRate: rate }
  }

  async dispose(): Promise<void> {
    await this.#client?.close()
    await this.#redis?.close()
  }
}
