import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteBroker } from '@celery/transport-sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Celery, type Logger, pickleSerializer, type Worker } from '../src/index.ts'
import { type GoldenMessage, goldenMessages, toleranceCases, versions } from './golden.ts'
import { untilAsync } from './scene.ts'

type Broker = Awaited<ReturnType<typeof openSqliteBroker>>

const ignore = (): void => {}
const silent: Logger = {
  ...{ debug: ignore, info: ignore, warning: ignore, error: ignore, critical: ignore },
  isEnabled: () => false,
}

/** Parameters of `wapp.noop`. */
const places = ['a?', 'a2?', 'a3?', 'a4?', 'a5?', 'a6?', 'a7?', 'a8?', 'a9?', 'a10?', 'k?', 'b?']

/** A worker of this process on a file, and somebody who writes into its queue as other producers do. */
class Stage implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'celery-golden-'))
  readonly app: Celery
  /** Ids of the tasks that succeeded. */
  readonly ran: Set<string> = new Set()
  #broker: Broker | undefined
  #worker: Worker | undefined
  #sent = 0

  constructor(acceptContent: readonly string[]) {
    const url = `sqlite:///${join(this.folder, 'queue.db')}`
    this.app = new Celery('golden', {
      ...{ broker: url, backend: url, notify: ignore },
      settings: { acceptContent, timezone: 'Europe/Paris' },
    })
    this.app.serializers.register('pickle', pickleSerializer())
    this.app.task('wapp.add', (x: number, y: number) => x + y, { params: ['x', 'y'] })
    this.app.task('wapp.mul', (x: number, y: number) => x * y)
    this.app.task('wapp.cb', () => null)
    this.app.task('wapp.on_err', () => null)
    this.app.task('wapp.ignored', (x: number) => x)
    this.app.task('wapp.echo', (value: unknown) => value)
    this.app.task('unknown.task', (x: number, a: number) => x + a, { params: ['x', 'a'] })
    // Python's takes anything; here each argument that is ever given has its place.
    this.app.task('wapp.noop', (...all: unknown[]) => places.map((_, place) => all[place] ?? null), { params: places })
    this.app.signals.taskSuccess.connect(({ request }) => void this.ran.add(request.id))
  }

  async open(): Promise<this> {
    this.#worker = await this.app.startWorker({ logger: silent, concurrency: 4 })
    this.#broker = await openSqliteBroker({ path: join(this.folder, 'queue.db') })
    return this
  }

  get broker(): Broker {
    return this.#broker as Broker
  }

  async put(payload: string): Promise<void> {
    await this.broker.put([{ queue: 'celery', tag: `golden-${this.#sent++}`, payload, priority: 0 }])
  }

  /** Messages that are held back until their time. */
  async delayed(): Promise<number> {
    return (await this.broker.declareQueue({ name: 'celery' })).delayed
  }

  async deadReason(): Promise<string> {
    const [dead] = await this.broker.fetch(['celery.dead'], { max: 1, signal: AbortSignal.timeout(20_000) })
    return dead?.deadReason ?? JSON.parse(dead?.payload as string).headers['x-celery-dead-reason']
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.stop()
    await this.#broker?.close()
    await this.app.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** What the tasks above make of a call. */
function resultOf({ args, kwargs, task }: GoldenMessage): unknown {
  const [x, y] = args as readonly number[]
  if (task === 'wapp.add') return (x as number) + (y as number)
  if (task === 'wapp.ignored') return x
  if (task === 'unknown.task') return (x as number) + (kwargs['a'] as number)
  return places.map((name, place) => args[place] ?? kwargs[name.slice(0, -1)] ?? null)
}

describe.each(versions.flatMap((version) => [`redis-${version}`, `amqp-${version}`]))(
  'what Python sent by %s',
  (folder) => {
    const messages = goldenMessages(folder)
    let stage: Stage
    beforeAll(async () => {
      stage = await new Stage(['json', 'yaml', 'msgpack', 'pickle']).open()
    })
    afterAll(() => stage[Symbol.asyncDispose]())

    test('is of both protocols and of every format', () => {
      expect(messages.length).toBeGreaterThan(30)
    })

    test.each(messages.map((each) => [each.name, each] as const))(
      'TASK-123 TASK-124 TASK-125 a worker runs %s',
      async (_name, message) => {
        const { eta, expires, id, ignoresResult, payload } = message
        const result = stage.app.asyncResult(id)
        // Several calls were recorded under one id.
        await result.forget()
        stage.ran.delete(id)
        const delayed = await stage.delayed()
        await stage.put(payload)
        if (expires !== null && Date.parse(expires) < Date.now()) {
          await expect(result.get({ timeout: 20 })).rejects.toThrow('expired')
        } else if (eta !== null && Date.parse(eta) > Date.now()) {
          await untilAsync(async () => (await stage.delayed()) > delayed, 'it to be held back')
        } else if (ignoresResult) {
          await untilAsync(async () => stage.ran.has(id), `${id} to run`)
          expect(await result.state()).toBe('PENDING')
        } else {
          expect(await result.get({ timeout: 20 })).toEqual(resultOf(message))
        }
      },
    )
  },
)

/** What is no message that can be run, and why. Everything else runs. */
const refused: ReadonlyMap<string, RegExp> = new Map([
  ['body_two_elements', /expected \[args, kwargs, embed\]/],
  ['no_id', /headers\.id/],
  ['eta_number', /headers\.eta/],
  ['content_type_charset', /"application\/json; charset=utf-8" is not accepted here/],
  ['content_type_yaml_disallowed', /"application\/x-yaml" is not accepted here/],
  ['broken_json_body', /cannot read application\/json/],
  ['typed_unknown', /bad value of type "nope"/],
  ['content_type_missing', /content-type/],
  ['no_properties', /properties/],
  ['no_delivery_tag', /delivery_tag/],
  ['no_delivery_info', /delivery_info/],
  ['delivery_info_empty', /delivery_info\.exchange/],
  ['not_json_at_all', /envelope/],
  ['unknown_task', /no task "nope.nope"/],
])

const brokenEnvelopes: ReadonlySet<string> = new Set([
  'content_type_missing',
  'no_properties',
  'no_delivery_tag',
  'no_delivery_info',
  'delivery_info_empty',
])

describe.each(versions)('what a worker of Celery %s was tried with', (version) => {
  let stage: Stage
  beforeAll(async () => {
    stage = await new Stage(['json']).open()
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  test.each(toleranceCases(version))('%s', async (name, message) => {
    await stage.put(typeof message === 'string' ? message : JSON.stringify(message))
    const id = typeof message === 'string' ? undefined : idOf(message as EnvelopeData)
    const reason = refused.get(name)
    if (reason === undefined) {
      const state = name === 'expires_past_ms_z' ? 'REVOKED' : 'SUCCESS'
      const result = stage.app.asyncResult(id as string)
      await result.get({ timeout: 20, propagate: false })
      expect(await result.state()).toBe(state)
      return
    }
    expect(await stage.deadReason()).toMatch(reason)
    // An envelope that cannot be read tells nobody's id.
    if (id !== undefined && !brokenEnvelopes.has(name)) {
      await expect(stage.app.asyncResult(id).get({ timeout: 20 })).rejects.toThrow(reason)
    }
    expect(await (await stage.app.sendTask('wapp.add', [2, 3])).get({ timeout: 20 })).toBe(5)
  })
})

interface EnvelopeData {
  readonly headers: Readonly<Record<string, unknown>> | null
  /** In base64. */
  readonly body: string
}

/** In protocol 1 it stands in the body. */
function idOf({ body, headers }: EnvelopeData): string | undefined {
  if (headers?.['task'] !== undefined) return headers['id'] as string | undefined
  return (JSON.parse(Buffer.from(body, 'base64').toString()) as { readonly id: string }).id
}
