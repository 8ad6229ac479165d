import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RedisServer, startRedis } from '@celery/test-servers'
import type { Call, Client } from './client.ts'
import type { Direction } from './direction.ts'
import type { Notes } from './notes.ts'
import { openClient } from './open-client.ts'
import type { PythonClient } from './python-client.ts'
import type { BoundQueue, CelerySettings, Language, Setup } from './setup.ts'
import { until } from './until.ts'
import { type RunningWorker, startWorker } from './workers.ts'

export interface StageOptions {
  /** Where the server and the notes are. */
  readonly setup: Setup
  readonly direction: Direction
  /** Unique among the cells of a run. */
  readonly number: number
  readonly folder: string
  readonly client: Client
  readonly notes: Notes
  /** Looks into Redis. */
  readonly observer: PythonClient
}

/** Settings of a further program; what is left out is as for all. */
export interface ProgramOptions {
  readonly settings?: CelerySettings
  readonly queues?: readonly BoundQueue[]
  /** Another database of the same server for results. */
  readonly resultDatabase?: number
  /** Another server. @defaultValue that of all cells */
  readonly server?: RedisServer
}

/** Of a message of any virtual transport, what cells look at. */
export interface Envelope {
  readonly 'content-type': string
  readonly headers: Readonly<Record<string, unknown>>
}

/** What one cell works with. What it starts ends with it. */
export class Stage implements AsyncDisposable {
  readonly direction: Direction
  /** Of the direction's first language. A worker of the second consumes from the default queue. */
  readonly client: Client
  readonly notes: Notes
  /** A queue that nobody else uses, and the beginning of all that is this cell's alone. */
  readonly queue: string
  readonly #options: StageOptions
  readonly #started: AsyncDisposable[] = []
  readonly #workers: RunningWorker[] = []
  #gates = 0

  constructor(options: StageOptions) {
    this.#options = options
    this.direction = options.direction
    this.client = options.client
    this.notes = options.notes
    this.queue = `interop.${options.number}`
  }

  /** A further client, of the direction's first language unless it is named. */
  clientWith(options: ProgramOptions & { readonly language?: Language }): Client {
    return this.#keep(openClient(options.language ?? this.direction.client, this.#setup(options)))
  }

  /** A worker of this cell's own, of its own queue unless others are named. */
  async startWorker(
    language: Language,
    options: ProgramOptions & { readonly consumes?: readonly string[]; readonly concurrency?: number } = {},
  ): Promise<RunningWorker> {
    const { concurrency, consumes = [this.queue] } = options
    const worker = await startWorker(language, { setup: this.#setup(options), queues: consumes, concurrency })
    this.#workers.push(worker)
    return this.#keep(worker)
  }

  /** The end of what each worker of this cell's own has logged. */
  logs(): readonly string[] {
    return this.#workers.map(
      (worker) => `the ${worker.language} worker of this cell logged:\n${lastLines(worker.output())}`,
    )
  }

  /** A server of this cell's own, which keeps what it was told when it ends. */
  async startServer(): Promise<RedisServer> {
    return this.#keep(await startRedis({ appendOnly: true }))
  }

  /** A file that tasks wait for. */
  gate(): { readonly path: string; open(): void } {
    const path = join(this.#options.folder, `${this.queue}.gate-${++this.#gates}`)
    return { path, open: () => writeFileSync(path, '') }
  }

  /** One command of Redis. */
  redis(...command: readonly (string | number)[]): Promise<unknown> {
    return this.#options.observer.redis(...command)
  }

  /** Resolves when every message that is held now was taken longer ago than a visibility timeout, by the server's clock. */
  async untilOlderThan(visibilityTimeout: number): Promise<void> {
    const [, newest] = (await this.redis('ZREVRANGE', 'unacked_index', 0, 0, 'WITHSCORES')) as unknown[]
    await until('the visibility timeout to end', async () => {
      const [seconds] = (await this.redis('TIME')) as number[]
      return Number(seconds) > Number(newest ?? 0) + visibilityTimeout + 1 ? true : undefined
    })
  }

  /** What a client writes for a call: the message as it lies in this cell's queue, from where it is taken away again. */
  async envelopeOf(client: Client, call: Call): Promise<Envelope> {
    await client.send({ ...call, options: { ...call.options, queue: this.queue } })
    return JSON.parse(String(await this.redis('RPOP', this.queue))) as Envelope
  }

  /** Resolves when so many messages are left in a queue; none, when workers have taken all. */
  async untilLength(queue: string, length: number): Promise<void> {
    await until(`${queue} to hold ${length} messages`, async () =>
      (await this.redis('LLEN', queue)) === length ? true : undefined,
    )
  }

  /** Resolves when so many messages that were sent to a queue by its name are held; none, when all are settled. */
  async untilHeld(count: number, queue: string = this.queue): Promise<void> {
    await until(`${count} messages of ${queue} to be held`, async () => {
      const held = (await this.redis('HVALS', 'unacked')) as unknown[]
      return held.filter((value) => String(value).endsWith(`"${queue}"]`)).length === count ? true : undefined
    })
  }

  /** Resolves when the clock shows these seconds since 1970. */
  async untilClock(seconds: number): Promise<void> {
    await until(`the clock to show ${seconds}`, async () => (Date.now() / 1000 > seconds ? true : undefined))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The last one first: programs go before the server that they use.
    for (const each of this.#started.reverse()) await each[Symbol.asyncDispose]()
  }

  #keep<T extends AsyncDisposable>(started: T): T {
    this.#started.push(started)
    return started
  }

  #setup({ queues = [], resultDatabase = 0, server, settings = {} }: ProgramOptions): Setup {
    const { setup } = this.#options
    const broker = server?.url ?? setup.broker
    const backend = broker.replace(/\/0$/, `/${resultDatabase}`)
    return { ...setup, broker, backend, queues, settings: { ...setup.settings, ...settings } }
  }
}

export function lastLines(log: string): string {
  return log.trim().split('\n').slice(-20).join('\n')
}
