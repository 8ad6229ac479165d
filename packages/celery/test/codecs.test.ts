import { memory as memoryBackend } from '@celery/backend-memory'
import { decodeEnvelope } from '@celery/protocol'
import { type BrokerConnection, parseBrokerUrl } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  Celery,
  ContentDisallowedError,
  DateTime,
  Decimal,
  type Logger,
  PlainDate,
  pickleSerializer,
  RemoteTaskError,
  type SettingsInput,
  TimeOfDay,
  Uuid,
} from '../src/index.ts'
import { Scene } from './scene.ts'

const serializers = ['json', 'yaml', 'msgpack', 'pickle'] as const
const compressions = ['zlib', 'gzip', 'brotli', 'zstd', 'zstandard', 'bzip2', 'bzip', 'lzma', 'xz'] as const
const everything: SettingsInput = { acceptContent: serializers }
const data = { x: [1, 2.5, 'é', null, true], text: 'a'.repeat(5_000) }

const ignore = (): void => {}
const silent: Logger = {
  ...{ debug: ignore, info: ignore, warning: ignore, error: ignore, critical: ignore },
  isEnabled: () => false,
}

let apps = 0

/** A client on a broker in this process, and the app of a worker that shares it: neither has loaded what the other has. */
function setUp(settings: SettingsInput = {}, ofClient: SettingsInput = settings) {
  const transport = memoryTransport()
  const backend = `memory://codecs-${++apps}`
  const [client, app] = [ofClient, settings].map((own) => {
    const made = new Celery('codecs', { broker: 'memory://', backend, settings: own, notify: () => {} })
    made.transports.register('memory', async () => transport)
    made.backends.register('memory', async () => memoryBackend)
    made.serializers.register('pickle', pickleSerializer())
    onTestFinished(() => made.close())
    return made
  }) as [Celery, Celery]
  app.task('echo', (value: unknown) => value)
  app.task('fail', (...args: readonly unknown[]) => {
    throw Object.assign(new TypeError('no'), { args })
  })
  return { app, client, transport }
}

async function deadLetter(broker: BrokerConnection): Promise<unknown> {
  const [dead] = await broker.fetch(['celery.dead'], { max: 1, signal: AbortSignal.timeout(10_000) })
  // One that was acknowledged early is there as a copy.
  return dead?.deadReason ?? decodeEnvelope(dead?.payload as string).headers['x-celery-dead-reason']
}

describe('TASK-123 SER-003 SER-004 SER-005 SER-012 SER-013 a client, a worker and the result store', () => {
  for (const serializer of serializers) {
    test(`speak ${serializer}, in every compression`, async () => {
      const { app, client } = setUp({ ...everything, resultSerializer: serializer })
      await using _worker = await app.startWorker({ logger: silent })
      for (const compression of [undefined, ...compressions]) {
        const options = compression === undefined ? { serializer } : { compression, serializer }
        const result = await client.sendTask('echo', [data], options)
        expect(await result.get({ timeout: 20 }), `${serializer} ${compression}`).toEqual(data)
      }
    })

    test(`keep results in ${serializer}, in every compression`, async () => {
      for (const resultCompression of compressions) {
        const settings = { resultSerializer: serializer, resultCompression, resultExtended: true }
        const { app, client } = setUp(settings, { acceptContent: serializers })
        await using _worker = await app.startWorker({ logger: silent })
        const result = await client.sendTask('echo', [data])
        expect(await result.get({ timeout: 20 })).toEqual(data)
        expect(await result.meta()).toMatchObject({ name: 'echo', args: [data], kwargs: {} })
        const failed = await client.sendTask('fail', [1])
        await expect(failed.get({ timeout: 20 })).rejects.toThrow(TypeError)
      }
    })
  }

  test('speak it by the settings of each program', async () => {
    const settings = { taskSerializer: 'yaml', taskCompression: 'bzip2', acceptContent: ['yaml'] }
    const { app, client } = setUp(settings)
    await using _worker = await app.startWorker({ logger: silent })
    expect(await (await client.sendTask('echo', [data])).get({ timeout: 20 })).toEqual(data)
  })

  test('SER-002 keep typed values in JSON', async () => {
    const { app, client } = setUp()
    await using _worker = await app.startWorker({ logger: silent })
    const values = {
      at: new DateTime('2026-01-02T03:04:05.000006+02:00'),
      day: new PlainDate('2026-01-02'),
      time: new TimeOfDay('03:04:05'),
      amount: new Decimal('1.10'),
      id: new Uuid('12345678-1234-5678-1234-567812345678'),
      bytes: Buffer.from([0, 255]),
      large: 2n ** 70n,
    }
    const back = (await (await client.sendTask('echo', [values])).get({ timeout: 20 })) as typeof values
    expect({ ...back, bytes: Buffer.from(back.bytes) }).toEqual(values)
  })

  test.each([
    ['5.6', 'Date', 'Decimal'],
    ['5.2', 'String', 'String'],
    ['4.3', 'String', 'String'],
  ] as const)('SER-002 with fleetVersion %s a time arrives as %s', async (fleetVersion, time, amount) => {
    const { app, client } = setUp({}, { fleetVersion })
    app.task('types', (...values: readonly object[]) => values.map((value) => value.constructor.name))
    await using _worker = await app.startWorker({ logger: silent })
    const result = await client.sendTask('types', [new Date(0), new Decimal('1.1')])
    expect(await result.get({ timeout: 20 })).toEqual([time, amount])
  })
})

describe('SER-009 what is not accepted', () => {
  test.each(['yaml', 'msgpack', 'pickle'])(
    'H-08 H-22 %s is refused before anything of it is read',
    async (serializer) => {
      const { app, client, transport } = setUp({}, everything)
      // Nobody here could unpack it, but that is not what is wrong with it.
      const asIs = {
        contentType: 'application/x-evil',
        compress: <T>(bytes: T) => bytes,
        decompress: <T>(bytes: T) => bytes,
      }
      client.compressions.register('evil', asIs)
      await using _worker = await app.startWorker({ logger: silent })
      const result = await client.sendTask('echo', [1], { serializer, compression: 'evil' })
      const error = await result.get({ timeout: 20 }).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(RemoteTaskError)
      expect((error as Error).message).toContain('is not accepted here')
      expect(app.serializers.isLoaded(serializer)).toBe(false)
      await using broker = await transport.open(parseBrokerUrl('memory://'))
      expect(await deadLetter(broker)).toContain('is not accepted here')
      expect(await (await client.sendTask('echo', [2])).get({ timeout: 20 })).toBe(2)
    },
  )

  test('CONF-002 is not read from the result store either', async () => {
    const { app, client } = setUp({ resultSerializer: 'msgpack' }, {})
    await using _worker = await app.startWorker({ logger: silent })
    const result = await client.sendTask('echo', [1])
    await expect(result.get({ timeout: 20 })).rejects.toThrow(ContentDisallowedError)
  })
})

describe('a format that cannot be had', () => {
  test('H-09 makes a message a dead letter that names the package, and the worker goes on', async () => {
    const { app, client, transport } = setUp()
    const missing = {
      contentType: 'application/x-bz2',
      packageName: 'bzip2-wasm',
      load: () => Promise.reject(new Error('Cannot find package')),
    }
    app.compressions.register('bzip2', missing)
    await using _worker = await app.startWorker({ logger: silent })
    const result = await client.sendTask('echo', [1], { compression: 'bzip2' })
    const error = await result.get({ timeout: 20 }).catch((caught: unknown) => caught)
    expect(String(error)).toContain('it needs the package bzip2-wasm: npm install bzip2-wasm')
    await using broker = await transport.open(parseBrokerUrl('memory://'))
    expect(await deadLetter(broker)).toContain('npm install bzip2-wasm')
    expect(await (await client.sendTask('echo', [2])).get({ timeout: 20 })).toBe(2)
  })

  test.each([
    ['acceptContent', { acceptContent: ['json', 'rare'] }],
    ['resultSerializer', { resultSerializer: 'rare' }],
    ['taskSerializer', { taskSerializer: 'rare' }],
    ['resultAcceptContent', { resultAcceptContent: ['rare'] }],
  ])('keeps a worker whose %s names it from starting', async (setting, settings) => {
    const { app } = setUp(settings)
    const lazy = {
      contentType: 'application/x-rare',
      packageName: 'rare-codec',
      load: () => Promise.reject(new Error()),
    }
    app.serializers.register('rare', lazy)
    await expect(app.startWorker({ logger: silent })).rejects.toThrow(
      `the setting ${setting}: "rare" could not be loaded; it needs the package rare-codec: npm install rare-codec`,
    )
  })

  test('is told whoever sends with it', async () => {
    const { client } = setUp()
    client.serializers.register('rare', {
      contentType: 'application/x-rare',
      packageName: 'rare-codec',
      load: () => Promise.reject(new Error()),
    })
    const sending = client.sendTask('echo', [1], { serializer: 'rare' })
    await expect(sending).rejects.toThrow('npm install rare-codec')
    await expect(client.sendTask('echo', [1], { serializer: 'yml' })).rejects.toThrow('no serializer "yml"')
    await expect(client.sendTask('echo', [1], { compression: 'gz' })).rejects.toThrow('no compression "gz"')
  })
})

test.each([true, false])(
  'CONF-016 with taskRemoteTracebacks %s an error shows where it happened in the worker',
  async (shown) => {
    const { app, client } = setUp({}, { taskRemoteTracebacks: shown })
    app.task('deep', function whereItHappened() {
      throw new TypeError('no')
    })
    await using _worker = await app.startWorker({ logger: silent })
    const failed = await client.sendTask('deep')
    const error = (await failed.get({ timeout: 20 }).catch((caught: unknown) => caught)) as Error
    expect(error.message).toBe('no')
    expect(error.stack?.includes('whereItHappened')).toBe(shown)
    expect(await failed.traceback()).toContain('whereItHappened')
  },
)

test('a task that is run where it is called has its result stored in the format of the settings', async () => {
  const { client } = setUp({ taskStoreEagerResult: true, resultSerializer: 'yaml', resultCompression: 'bzip2' })
  const add = client.task('add', (x: number, y: number) => x + y)
  const { id } = await add.apply([2, 3])
  expect(await client.asyncResult(id).get({ timeout: 20 })).toBe(5)
})

test('a program that uses JSON loads no other format', async () => {
  const { app, client } = setUp()
  await using _worker = await app.startWorker({ logger: silent })
  expect(await (await client.sendTask('echo', [data])).get({ timeout: 20 })).toEqual(data)
  for (const name of ['yaml', 'msgpack', 'pickle']) expect(app.serializers.isLoaded(name), name).toBe(false)
  for (const name of ['bzip2', 'lzma']) expect(app.compressions.isLoaded(name), name).toBe(false)
})

describe.each(['prefork', 'threads'])('the pool %s', (pool) => {
  test('reads every format, and stores bytes as they are', async () => {
    const settings = { ...everything, resultSerializer: 'msgpack', resultCompression: 'lzma', resultExtended: true }
    await using scene = new Scene({ module: 'codecs.mjs', settings, env: { C_FORCE_ROOT: '1' } })
    scene.client.conf.update({ acceptContent: serializers })
    scene.client.serializers.register('pickle', pickleSerializer())
    await scene.startWorker('-c', '1', '-P', pool)
    const ids = await Promise.all(
      serializers.flatMap((serializer) =>
        compressions.map(async (compression) => {
          const { id } = await scene.client.sendTask('echo', [data], { compression, serializer })
          return id
        }),
      ),
    )
    for (const id of ids) expect(await scene.value(id)).toEqual(data)
    const { id } = await scene.client.sendTask('fail-with', [1, 'two', null])
    const error = (await scene.value(id).catch((caught: unknown) => caught)) as RemoteTaskError
    expect(error).toMatchObject({ excType: 'Complaint', args: [1, 'two', null] })
  })
})
