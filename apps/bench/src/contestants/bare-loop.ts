import { type RedisServer, startRedis } from '@celery/test-servers'
import { redisAt } from '../places.ts'
import type { BareLoopArgument } from '../processes/bare-loop.ts'
import type { DrainCommand } from '../processes/drain-worker.ts'
import type { Spent } from '../processes/measured.ts'
import { MeasuredProcess } from '../processes/measured-process.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { declareTasks } from '../tasks.ts'
import { drainReadings } from './drain-readings.ts'
import { ServerUsage } from './server-usage.ts'

const warmUpDrains = 4

/** The same queue as of a drained worker, emptied by our transport alone. */
export class BareLoop implements Contestant {
  readonly name = 'bare'
  readonly #suite: SuiteOptions
  readonly #padding: string
  #redis: RedisServer | undefined
  #client: ReturnType<typeof declareTasks> | undefined
  #loop: MeasuredProcess | undefined

  constructor(suite: SuiteOptions, padding: string) {
    this.#suite = suite
    this.#padding = padding
  }

  async prepare(): Promise<void> {
    this.#redis = await startRedis()
    const { url } = this.#redis
    this.#client = declareTasks(redisAt(url).options)
    this.#loop = await MeasuredProcess.start('bare-loop', {
      argument: { url, queue: this.#client.app.conf.taskDefaultQueue } satisfies BareLoopArgument,
      cpuProfileFolder: this.#suite.cpuProfileFolder,
    })
    for (let drain = 0; drain < warmUpDrains; drain++) await this.run()
  }

  async run(): Promise<Readings> {
    const { tasks } = this.#suite
    const { noop } = this.#client as ReturnType<typeof declareTasks>
    const loop = this.#loop as MeasuredProcess
    loop.send({ tasks } satisfies DrainCommand)
    await loop.receive()
    await Promise.all(Array.from({ length: tasks }, () => noop.delay(this.#padding)))
    const usage = new ServerUsage(this.#redis as RedisServer)
    usage.start()
    loop.release()
    return { ...drainReadings(tasks, await loop.receive<Spent>()), ...usage.readings(tasks) }
  }

  async dispose(): Promise<void> {
    await this.#loop?.stop()
    await this.#client?.app.close()
    await this.#redis?.close()
  }
}
