import { deadLetterQueue } from '@celery/transport'
import { openSqliteBroker } from '@celery/transport-sqlite'
import { expect } from 'vitest'
import { Scene, type SceneOptions, until, untilAsync, type WorkerProcess } from './scene.ts'

type Broker = Awaited<ReturnType<typeof openSqliteBroker>>

/** What became of a message that was refused. */
export interface Refusal {
  readonly tag: string
  readonly reason: string
  /** The line of the log. */
  readonly line: string
}

/** A worker, and somebody who writes into its queue what no client of ours would. */
export class HostileScene implements AsyncDisposable {
  readonly scene: Scene
  readonly worker: WorkerProcess
  readonly #broker: Broker
  #sent = 0

  private constructor(scene: Scene, worker: WorkerProcess, broker: Broker) {
    this.scene = scene
    this.worker = worker
    this.#broker = broker
  }

  static async open(options: SceneOptions, ...args: readonly string[]): Promise<HostileScene> {
    const scene = new Scene({ module: 'hostile.mjs', ...options })
    const worker = await scene.startWorker(...args)
    return new HostileScene(scene, worker, await openSqliteBroker({ path: scene.broker }))
  }

  /** Puts a payload into the queue as it is, text or bytes; returns its tag. */
  async put(payload: string | Uint8Array, notBeforeMs?: number): Promise<string> {
    const tag = `hostile-${this.#sent++}`
    // Other producers write what they like, and the file takes it.
    const message = { queue: 'celery', tag, payload: payload as string, priority: 0 }
    await this.#broker.put([notBeforeMs === undefined ? message : { ...message, notBeforeMs }])
    return tag
  }

  /**
   * Puts a payload and expects what every bad message must come to: a dead letter, one line in the log that names the
   * message, the queue and the reason and is not long, and a worker whose next task runs in the same processes.
   *
   * @param id - Of the task, where one can be read: it fails.
   */
  async expectRefused(payload: string | Uint8Array, id?: string): Promise<Refusal> {
    const { scene, worker } = this
    const children = worker.children()
    const from = worker.log.length
    const tag = await this.put(payload)
    await this.#expectItStillWorks()
    await untilAsync(async () => (await this.#deadCount()) > 0, `message ${tag} to be with the dead letters`)
    const [dead, ...more] = await scene.deadLetters()
    expect(more).toEqual([])
    const reason = dead?.deadReason ?? copiedReason(dead?.payload)
    expect(reason).not.toBe('')
    if (id !== undefined) expect(await scene.outcome(id)).toMatch(/^FAILURE /)
    const named = id ?? tag
    const errorLines = (): readonly string[] =>
      worker.log
        .slice(from)
        .split('\n')
        .filter((line) => line.startsWith('[') && line.includes('ERROR'))
    await until(() => errorLines().length > 0, `an error about ${named} in the log`)
    await scene.untilEmpty()
    const errors = errorLines()
    expect(errors, worker.log.slice(from)).toHaveLength(1)
    const [line = ''] = errors
    expect(line).toContain(named)
    expect(line).toContain('queue "celery"')
    expect(line.length).toBeLessThan(2_048)
    expect(worker.process.exitCode).toBeNull()
    expect(worker.children()).toEqual(children)
    return { tag, reason, line }
  }

  /** Nothing of what arrived has changed what every object has. */
  async expectNothingPolluted(): Promise<void> {
    const { scene } = this
    expect(await scene.value(await scene.send('inherited'))).toEqual([
      Object.getOwnPropertyNames(Object.prototype).sort(),
      'undefined',
    ])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker.close()
    await this.scene[Symbol.asyncDispose]()
  }

  async #expectItStillWorks(): Promise<void> {
    expect(await this.scene.value(await this.scene.send('add', 2, 2))).toBe(4)
  }

  async #deadCount(): Promise<number> {
    return (await this.#broker.declareQueue({ name: deadLetterQueue('celery') })).ready
  }
}

/** A message that was acknowledged early is with the dead letters as a copy, whose headers say why. */
function copiedReason(payload: unknown): string {
  const { headers } = JSON.parse(String(payload)) as { readonly headers: Readonly<Record<string, unknown>> }
  return String(headers['x-celery-dead-reason'] ?? '')
}

/** An envelope as kombu writes it, with a good body, but for what is given; `undefined` leaves a field out. */
export function envelope(changes: EnvelopeChanges = {}): string {
  const { body = '[[1, 2], {}, {}]', contentType = 'application/json', fields, headers, properties } = changes
  return JSON.stringify({
    body: Buffer.from(body).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': contentType,
    headers: { lang: 'py', task: 'echo', root_id: null, ...headers },
    properties: {
      delivery_info: { exchange: '', routing_key: 'celery' },
      delivery_tag: 'tag',
      body_encoding: 'base64',
      ...properties,
    },
    ...fields,
  })
}

interface EnvelopeChanges {
  /** Written in base64. */
  readonly body?: string | Uint8Array
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly properties?: Readonly<Record<string, unknown>>
  /** Of the envelope itself. */
  readonly fields?: Readonly<Record<string, unknown>>
}
