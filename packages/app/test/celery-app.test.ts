import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { memory as memoryBackend } from '@celery/backend-memory'
import { deferred } from '@celery/promises'
import type { BrokerConnection, Transport } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  type AppOptions,
  Celery,
  CeleryApp,
  ModuleNotFoundError,
  NoBrokerError,
  type SettingsInput,
} from '../src/index.ts'
import { findApp, importModules } from '../src/internal.ts'
import { testApp } from './test-app.ts'

afterEach(() => vi.unstubAllEnvs())

function newApp(options: AppOptions = {}): CeleryApp {
  const app = new CeleryApp('test', { notify: () => undefined, ...options })
  onTestFinished(() => app.close())
  return app
}

describe('where messages and results go', () => {
  beforeEach(() => {
    vi.stubEnv('CELERY_BROKER_URL', undefined)
    vi.stubEnv('CELERY_RESULT_BACKEND', undefined)
    vi.stubEnv('CELERY_LOCAL', undefined)
  })

  test('where the options say, and before that the environment, as in Celery', () => {
    const app = newApp({ broker: 'memory://option', backend: 'memory://kept' })
    expect([app.brokerAddress, app.backendAddress]).toEqual(['memory://option', 'memory://kept'])
    expect(newApp({ settings: { broker_url: 'memory://setting' } }).brokerAddress).toBe('memory://setting')
    vi.stubEnv('CELERY_BROKER_URL', 'memory://environment')
    vi.stubEnv('CELERY_RESULT_BACKEND', 'memory://results')
    expect(newApp().brokerAddress).toBe('memory://environment')
    const overridden = newApp({ broker: 'memory://option', backend: 'memory://kept' })
    expect([overridden.brokerAddress, overridden.backendAddress]).toEqual(['memory://environment', 'memory://results'])
    overridden.conf.brokerUrl = 'memory://changed'
    expect(overridden.brokerAddress).toBe('memory://changed')
  })

  test('an empty variable of the environment says nothing', () => {
    vi.stubEnv('CELERY_BROKER_URL', '')
    expect(newApp({ broker: 'memory://option' }).brokerAddress).toBe('memory://option')
  })

  test('CONF-131 CONF-132 one broker to read from and another to write to', async () => {
    const brokerReadUrl = ['fake://read', 'fake://spare']
    const app = newApp({ settings: { brokerUrl: 'fake://both', brokerReadUrl } })
    const writing = newApp({ settings: { brokerUrl: 'memory://both', brokerWriteUrl: 'memory://write' } })
    expect(writing.connectionForWrite().address).toBe('memory://write')
    expect(writing.connectionForRead().address).toBe('memory://both')
    const opened: (string | undefined)[] = []
    const transport = memoryTransport()
    app.transports.register('fake', async () => ({
      ...transport,
      open: (address, options) => {
        opened.push(address.host)
        return transport.open(address, options)
      },
    }))
    for (const connection of [
      app.connectionForRead(),
      app.connectionForWrite(),
      app.connectionForWrite({ url: 'fake://asked' }),
    ]) {
      await connection.broker()
      await connection.close()
    }
    expect(opened).toEqual(['read', 'both', 'asked'])
    vi.stubEnv('CELERY_BROKER_WRITE_URL', 'fake://written')
    expect(newApp({ broker: 'fake://both' }).brokerAddress).toBe('fake://written')
    vi.stubEnv('CELERY_BROKER_READ_URL', 'fake://from-here')
    expect(newApp({ broker: 'fake://both' }).conf.brokerReadUrl).toBe('fake://from-here')
  })

  test('CONF-035 CONF-139 drivers get the options of the settings', async () => {
    const brokerTransportOptions = { polling_interval: 3 }
    const resultBackendTransportOptions = { master_name: 'mine' }
    const app = newApp({
      broker: 'fake://host',
      backend: 'fake://host',
      settings: { brokerTransportOptions, resultBackendTransportOptions },
    })
    const given: unknown[] = []
    const transport = memoryTransport()
    app.transports.register('fake', async () => ({
      ...transport,
      open: (address, options) => {
        given.push(options?.transportOptions)
        return transport.open(address, options)
      },
    }))
    app.backends.register('fake', async () => ({
      ...memoryBackend,
      open: (url, options) => {
        given.push(options?.transportOptions)
        return memoryBackend.open(url, options)
      },
    }))
    app.task('add', () => 1)
    await app.sendTask('add')
    await app.asyncResult('an-id').state()
    expect(given).toEqual([brokerTransportOptions, resultBackendTransportOptions])
  })

  test('a broker alone keeps no results', () => {
    expect(newApp({ broker: 'memory://' }).backendAddress).toBeUndefined()
  })

  test.each([
    ['amqp://me:secret@host:5672//', 'amqp://me:**@host:5672//'],
    ['redis://:p%40ss@a:6379/0', 'redis://:**@a:6379/0'],
    ['sqlite:////srv/q.db?password=secret', 'sqlite:////srv/q.db?password=**'],
  ])('no password is shown: %s', (url, shown) => {
    const app = newApp({ broker: url, backend: url })
    expect([app.brokerAddress, app.backendAddress]).toEqual([shown, shown])
    expect(`${String(app)} ${JSON.stringify(app.brokerAddress)}`).not.toMatch(/secret|p(%40|@)ss/)
  })

  test('no password is shown of any of several brokers, however they are written', () => {
    const shown = (broker: AppOptions['broker']) => newApp({ broker: broker as string }).brokerAddress
    expect(shown(['amqp://a:secret@one', 'amqp://b:secret@two'])).toBe('amqp://a:**@one;amqp://b:**@two')
    expect(shown('amqp://a:secret@one;amqp://b:secret@two')).toBe('amqp://a:**@one;amqp://b:**@two')
    // As kombu reads it: what the second one leaves out is that of the first, and the path that of the last.
    expect(shown('redis://:secret@one:6379;two:6380/0')).toBe('redis://:**@one:6379/0;redis://:**@two:6380/0')
  })

  test('several brokers in one URL, the second without a scheme, are tried in turn', async () => {
    const app = newApp({ broker: 'fake://one:1;two:2/db' })
    const opened: (string | undefined)[] = []
    const transport = memoryTransport()
    app.transports.register('fake', async () => ({
      ...transport,
      open: (address, options) => {
        opened.push(address.host)
        return transport.open(address, options)
      },
    }))
    await app.sendTask('t')
    expect(opened).toEqual(['one'])
  })

  describe('without a broker', () => {
    let folder: string

    beforeEach(() => {
      folder = realpathSync(mkdtempSync(join(tmpdir(), 'celery-app-')))
      writeFileSync(join(folder, 'package.json'), '{}')
    })

    afterEach(() => rmSync(folder, { recursive: true, force: true }))

    test('both go into one file of the project, which is said once', async () => {
      const notices: string[] = []
      const app = newApp({ root: folder, notify: (message) => notices.push(message) })
      const file = join(folder, '.celery', 'queue.db')
      expect([app.brokerAddress, app.backendAddress]).toEqual([`sqlite:///${file}`, `sqlite:///${file}`])
      app.transports.register('sqlite', async () => memoryTransport())
      expect(notices).toEqual([])
      await app.sendTask('t')
      await app.sendTask('t')
      await app.connectionForRead().close()
      expect(notices).toEqual([`no broker is configured; using the embedded one in ${file}`])
    })

    test('results may go elsewhere', () => {
      expect(newApp({ root: folder, backend: 'memory://' }).backendAddress).toBe('memory://')
    })

    test('production is refused, not sent into a file', async () => {
      vi.stubEnv('NODE_ENV', 'production')
      const app = newApp({ root: folder })
      await expect(app.sendTask('t')).rejects.toBeInstanceOf(NoBrokerError)
      expect(() => app.brokerAddress).toThrow(NoBrokerError)
    })

    test('a driver comes from the dependencies of the application', async () => {
      const driver = join(folder, 'node_modules', '@celery', 'transport-sqlite')
      mkdirSync(driver, { recursive: true })
      const entry = { name: '@celery/transport-sqlite', type: 'module', exports: './index.js' }
      writeFileSync(join(driver, 'package.json'), JSON.stringify(entry))
      writeFileSync(
        join(driver, 'index.js'),
        'export const sqlite = { name: "mine", async open() { throw new Error("the driver of the application") } }',
      )
      await expect(newApp({ root: folder }).sendTask('t')).rejects.toThrow('the driver of the application')
    })
  })

  test('a scheme that nobody serves says which ones are known', async () => {
    const app = newApp({ broker: 'nope://', backend: 'nope://' })
    await expect(app.sendTask('t')).rejects.toMatchObject({ code: 'ERR_CELERY_UNKNOWN_TRANSPORT' })
    await expect(app.backend()).rejects.toMatchObject({ code: 'ERR_CELERY_UNKNOWN_BACKEND' })
  })

  test('a third party adds its own drivers', async () => {
    const app = newApp({ broker: 'mine://', backend: 'mine://' })
    app.transports.register('mine', async () => memoryTransport())
    app.backends.register('mine', async () => memoryBackend)
    await app.sendTask('t')
    expect(await app.backend()).toBeDefined()
  })
})

describe('two apps in one process', () => {
  test('share nothing', async () => {
    const [a, b] = [
      await testApp({ settings: { taskDefaultQueue: 'a' } }),
      await testApp({ settings: { taskDefaultQueue: 'b' } }),
    ]
    const inA = a.app.task('same.name', () => 'a')
    const inB = b.app.task('same.name', () => 'b')
    const [resultA, resultB] = [await inA.delay(), await inB.delay()]
    expect([await a.waiting('a'), await a.waiting('b'), await b.waiting('a'), await b.waiting('b')]).toEqual([
      1, 0, 0, 1,
    ])
    await a.runNext('a')
    await b.runNext('b')
    expect([await resultA.get({ timeout: 5 }), await resultB.get({ timeout: 5 })]).toEqual(['a', 'b'])
    expect(await a.app.asyncResult(resultB.id).state()).toBe('PENDING')
    a.app.conf.declare('only_in_a')
    expect(() => b.app.conf.update({ only_in_a: 1 } as SettingsInput)).toThrow('there is no setting')
    await a.app.close()
    await inB.delay()
    expect(await b.waiting('b')).toBe(1)
  })

  test('what runs in one may send through the other, and belongs to its workflow', async () => {
    const [a, b] = [await testApp(), await testApp()]
    const there = b.app.task('there', () => 0)
    const here = a.app.task('here', async () => void (await there.delay()))
    const { id } = await here.delay()
    await a.runNext()
    expect((await b.take()).headers).toMatchObject({ parent_id: id, root_id: id })
  })
})

describe('closing', () => {
  /** An app, and the connections it has opened. */
  function counted(transport: Transport = memoryTransport()) {
    const open = new Set<BrokerConnection>()
    const app = newApp({ broker: 'memory://', backend: `memory://closing-${Math.random()}` })
    app.transports.register('memory', async () => ({
      ...transport,
      async open(address, options) {
        const connection = await transport.open(address, options)
        open.add(connection)
        void connection.closed.finally(() => open.delete(connection))
        return connection
      },
    }))
    return { app, open }
  }

  test('nothing is opened before it is used, and everything is closed after', async () => {
    const { app, open } = counted()
    const task = app.task('t', () => 0)
    expect(open.size).toBe(0)
    const result = await task.delay()
    await result.state()
    expect(open.size).toBe(1)
    await app.close()
    expect(open.size).toBe(0)
  })

  test('is safe twice, before the first use, and with `await using`', async () => {
    const { app, open } = counted()
    {
      await using used = app
      await used.sendTask('t')
      expect(open.size).toBe(1)
    }
    expect(open.size).toBe(0)
    await app.close()
    const unused = newApp()
    await unused.close()
    await unused.close()
  })

  test('is for good: what is sent or read after it is refused by name, and nothing is opened again', async () => {
    const { app, open } = counted()
    const task = app.task('t', () => 0)
    const result = await task.delay()
    await app.close()
    const closed = expect.objectContaining({ code: 'ERR_CELERY_APP_CLOSED', app: 'test' })
    await expect(task.delay()).rejects.toEqual(closed)
    await expect(task.s().delay()).rejects.toEqual(closed)
    await expect(app.sendTask('t')).rejects.toEqual(closed)
    await expect(result.get()).rejects.toEqual(closed)
    await expect(result.state()).rejects.toEqual(closed)
    await expect(result.forget()).rejects.toEqual(closed)
    await expect(app.asyncResult('other').get({ timeout: 1 })).rejects.toEqual(closed)
    await expect(app.backend()).rejects.toEqual(closed)
    expect(() => app.connectionForRead()).toThrow(closed)
    expect(() => app.connectionForWrite()).toThrow(closed)
    expect(open.size).toBe(0)
    // As a function it still runs here.
    expect(task()).toBe(0)
  })

  test('waits for what is being sent', async () => {
    const gate = deferred()
    const inner = memoryTransport()
    const { app, open } = counted({
      ...inner,
      async open(address, options) {
        await gate.promise
        return inner.open(address, options)
      },
    })
    const sent = app.sendTask('t')
    const closing = app.close()
    gate.resolve()
    await sent
    await closing
    expect(open.size).toBe(0)
  })

  test('ends those who wait for results', async () => {
    const { app } = counted()
    const result = await app.task('t', () => 0).delay()
    const value = result.get()
    const ended = expect(value).rejects.toMatchObject({ code: 'ERR_CELERY_APP_CLOSED' })
    await new Promise((resolve) => setImmediate(resolve))
    await app.close()
    await ended
  })

  test('is not kept by a result store that cannot be opened', async () => {
    const app = newApp({ broker: 'memory://', backend: 'broken://' })
    app.backends.register('broken', async () => {
      throw new Error('broken')
    })
    const opening = app.backend()
    await app.close()
    await expect(opening).rejects.toThrow('broken')
  })
})

describe('finding the app of a module', () => {
  const [app, celery, other] = [new CeleryApp('app'), new CeleryApp('celery'), new CeleryApp('other')]

  test.each<[string, Record<string, unknown>, string | undefined, CeleryApp | undefined]>([
    ['the export `app`', { other, default: other, celery, app }, undefined, app],
    ['else `celery`', { other, default: other, celery }, undefined, celery],
    ['else the default', { other, default: celery }, undefined, celery],
    ['else the first one', { number: 1, nothing: null, other, celery: 'no app' }, undefined, other],
    ['the one asked for', { app, other }, 'other', other],
    ['none where the one asked for is none', { app, other: 1 }, 'other', undefined],
    ['none where the one asked for is not there', { app }, 'toString', undefined],
    ['none where there is none', { number: 1 }, undefined, undefined],
  ])('%s', (_name, module, exportName, found) => {
    expect(findApp(module, exportName)).toBe(found)
  })

  test('an app of another installed copy is one', () => {
    const copy = Object.defineProperty({}, Symbol.for('celery.app'), { value: true })
    expect(CeleryApp.is(copy)).toBe(true)
    expect([CeleryApp.is({}), CeleryApp.is(null), CeleryApp.is('app')]).toEqual([false, false, false])
    expect(Celery).toBe(CeleryApp)
  })
})

describe('importing modules', () => {
  let folder: string

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'celery-import-')))
    const noted = 'globalThis.celeryTestImports = [...(globalThis.celeryTestImports ?? []), import.meta.url]'
    for (const name of ['a', 'b']) writeFileSync(join(folder, `${name}.mjs`), noted)
    Reflect.deleteProperty(globalThis, 'celeryTestImports')
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('in order, by path and by URL', async () => {
    const b = pathToFileURL(join(folder, 'b.mjs')).href
    await importModules([b, join(folder, 'a.mjs')])
    const imported = Reflect.get(globalThis, 'celeryTestImports') as string[]
    expect(imported).toEqual([b, pathToFileURL(join(folder, 'a.mjs')).href])
  })

  test('a source that is not there stands for what was built of it, and not where it is there', async () => {
    const source = (name: string) => join(folder, `${name}.mts`)
    await importModules([source('a'), pathToFileURL(source('b')).href])
    const built = ['a', 'b'].map((name) => pathToFileURL(join(folder, `${name}.mjs`)).href)
    expect(Reflect.get(globalThis, 'celeryTestImports')).toEqual(built)
    writeFileSync(source('a'), "throw new Error('this is the source')")
    await expect(importModules([source('a')])).rejects.toThrow('this is the source')
  })

  test('by the name of a package or of a module of Node', async () => {
    await expect(importModules(['node:path', '@celery/promises'])).resolves.toBeUndefined()
  })

  describe('from the working directory', () => {
    beforeEach(() => {
      vi.spyOn(process, 'cwd').mockReturnValue(folder)
      mkdirSync(join(folder, 'proj'))
      const packageFolder = join(folder, 'node_modules', 'a-package')
      mkdirSync(packageFolder, { recursive: true })
      writeFileSync(join(packageFolder, 'package.json'), '{"name": "a-package", "type": "module"}')
      const noted = 'globalThis.celeryTestImports = [...(globalThis.celeryTestImports ?? []), import.meta.url]'
      for (const file of ['proj/tasks.mjs', 'node_modules/a-package/tasks.js']) writeFileSync(join(folder, file), noted)
    })

    afterEach(() => vi.restoreAllMocks())

    test.each([
      ['a.mjs', 'a.mjs'],
      ['./a.mjs', 'a.mjs'],
      ['proj/tasks.mjs', 'proj/tasks.mjs'],
      ['a-package/tasks.js', 'node_modules/a-package/tasks.js'],
    ])('%s', async (name, file) => {
      await importModules([name])
      expect(Reflect.get(globalThis, 'celeryTestImports')).toEqual([pathToFileURL(join(folder, file)).href])
    })

    test.each([
      ['more.mjs', true],
      ['./more.mjs', false],
      ['@celery/nothing-of-the-kind', true],
      ['proj', true],
    ])('%s is not there: the error says where it was looked for', async (name, asPackage) => {
      const error = await importModules([name]).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(ModuleNotFoundError)
      expect(error).toMatchObject({ code: 'ERR_CELERY_MODULE_NOT_FOUND', module: name })
      const { lookedFor, message } = error as ModuleNotFoundError
      expect(lookedFor[0]).toBe(join(folder, name))
      expect(lookedFor).toHaveLength(asPackage ? 2 : 1)
      expect(message).toContain(`"${name}"`)
      expect(message).toContain(lookedFor.join(', then for '))
    })
  })

  test('a URL or a path of nothing is an error too', async () => {
    const file = join(folder, 'nothing.mjs')
    await expect(importModules([pathToFileURL(file).href])).rejects.toMatchObject({ lookedFor: [file] })
    await expect(importModules([file])).rejects.toMatchObject({ module: file, lookedFor: [file] })
  })

  test('what a module throws comes through as it is', async () => {
    writeFileSync(join(folder, 'broken.mjs'), 'throw new RangeError("of its own")')
    await expect(importModules([join(folder, 'broken.mjs')])).rejects.toThrow(new RangeError('of its own'))
  })
})

describe('a task declared after a worker started', () => {
  test('can be sent and run, and the app says that it came late', async () => {
    const { app, notices, runNext } = await testApp()
    app.task('early', () => 'early')
    app.finalize()
    app.finalize()
    expect(notices).toEqual([])
    const late = app.task('late', () => 'late')
    expect(notices).toEqual([
      expect.stringContaining(
        'the task "late" was declared after the worker had started; calls of it that came before were refused. A worker with ' +
          'the pool async or solo takes it from now on, processes and threads of other pools do not know it: declare it ' +
          'before, in a module that include names for example',
      ),
    ])
    const result = await late.delay()
    await runNext()
    expect(await result.get({ timeout: 5 })).toBe('late')
  })
})

test('printed, it is as Celery shows it, and not everything in it', () => {
  expect(inspect({ app: newApp() })).toBe('{ app: <Celery test> }')
})

test.each([
  [undefined, 'undefined'],
  ['', "''"],
  [{ id: 'x' }, "{ id: 'x' }"],
])('%o is no id of a task', (id, shown) => {
  const problem = new TypeError(`asyncResult() takes the id of a task, not ${shown}`)
  expect(() => newApp().asyncResult(id as string)).toThrow(problem)
})

test('a setting without effect is told of where the app tells things', async () => {
  const { app, notices } = await testApp({ settings: { worker_hijack_root_logger: false } })
  expect(notices).toEqual(['the setting workerHijackRootLogger has no effect here: there is no root logger to replace'])
  expect(app.toString()).toBe('<Celery test>')
})

test('options name modules for the worker', () => {
  expect(newApp({ include: ['./tasks.js'] }).conf.include).toEqual(['./tasks.js'])
})

describe('the registry', () => {
  test('is told when it is first looked into, or at finalize, once; who comes later hears it at once', () => {
    const app = newApp()
    const heard: string[] = []
    app.onAfterFinalize.connect((event) => heard.push(`first ${event.app.main} ${event.app.tasks.size}`))
    app.task('a', () => 0)
    expect(heard).toEqual([])
    expect([...app.tasks.keys()]).toEqual(['a'])
    app.finalize()
    app.onAfterFinalize.connect(() => heard.push('late'))
    expect(heard).toEqual(['first test 1', 'late'])
  })

  test('without autofinalize is refused until the app is finalized', () => {
    const app = newApp({ autofinalize: false })
    app.task('a', () => 0)
    expect(() => app.tasks).toThrow('contract breach: the app "test" is not finalized; call app.finalize()')
    app.finalize()
    expect(app.tasks.has('a')).toBe(true)
  })

  test('APP-005 a task is printed as Celery prints it', () => {
    const app = newApp()
    const add = app.task('proj.add', (x: number, y: number) => x + y)
    for (const task of [add, app.remote('proj.add'), app.tasks.lookUp('proj.add')]) {
      expect(String(task)).toBe('<@task: proj.add of test>')
      expect(inspect(task)).toBe('<@task: proj.add of test>')
      expect(inspect({ of: [task] })).toBe('{ of: [ <@task: proj.add of test> ] }')
    }
    expect(Object.keys(add)).not.toContain('toString')
  })

  test('finds tasks by name, or says which one may be meant', () => {
    const app = newApp()
    const add = app.task('proj.add', (x: number, y: number) => x + y)
    expect(app.tasks.lookUp('proj.add') === add).toBe(true)
    expect(() => app.tasks.lookUp('proj.dad')).toThrow('did you mean "proj.add"?')
    expect(() => app.tasks.unregister('nothing')).toThrow(
      expect.objectContaining({ code: 'ERR_CELERY_NOT_REGISTERED' }),
    )
    app.tasks.unregister('proj.add')
    expect([app.tasks.has('proj.add'), app.closestTask('proj.add')]).toEqual([false, undefined])
    app.task('proj.add', () => 'again')
  })

  test('takes tasks that are objects or classes, with options and handlers', async () => {
    const { app, runNext } = await testApp({ root: '/srv/proj' })
    const heard: unknown[] = []
    class Counter {
      readonly name = 'count'
      readonly acksLate = true
      #total = 0
      run(by: number): number {
        this.#total += by
        return this.#total
      }
      onSuccess(result: unknown): void {
        heard.push(result)
      }
    }
    const count = app.registerTask(Counter)
    const results = [await count.delay(1), await count.delay(2)]
    await runNext()
    await runNext()
    expect(await results[1]?.get({ timeout: 5 })).toBe(3)
    expect([heard, count.options.acksLate]).toEqual([[1, 3], true])
    class Unnamed {
      run(): string {
        return 'ran'
      }
    }
    expect(app.registerTask(new Unnamed(), 'file:///srv/proj/video/tasks.ts').taskName).toBe('video.tasks.Unnamed')
    expect(() => app.registerTask(Unnamed)).toThrow('a task needs a name')
    expect(() => app.registerTask({ run: () => 0 }, 'file:///srv/proj/tasks.ts')).toThrow('a task needs a name')
    // @ts-expect-error a task is nothing without its function
    expect(() => app.registerTask({ name: 'x' })).toThrow()
    // @ts-expect-error the argument is a number
    await expect(count.delay('one')).resolves.toBeDefined()
  })

  test('names tasks as the app says', () => {
    class Shouting extends CeleryApp {
      override genTaskName(name: string, module: string): string {
        return super.genTaskName(name, module).toUpperCase()
      }
    }
    const app = new Shouting('test', { root: '/srv' })
    onTestFinished(() => app.close())
    expect(app.genTaskName('add', 'file:///srv/tasks.js')).toBe('TASKS.ADD')
  })
})

describe('finding tasks', () => {
  let folder: string

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'celery-discover-')))
    Reflect.deleteProperty(globalThis, 'celeryTestImports')
    for (const name of ['video', 'mail']) {
      mkdirSync(join(folder, name))
      writeFileSync(
        join(folder, name, 'tasks.mjs'),
        `globalThis.celeryTestImports = [...(globalThis.celeryTestImports ?? []), '${name}']`,
      )
    }
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const imported = () => Reflect.get(globalThis, 'celeryTestImports')

  test('waits until modules are loaded, after those that are named', async () => {
    const app = newApp({ root: folder, include: [join(folder, 'mail', 'tasks.mjs')] })
    app.autodiscoverTasks(() => ['video'])
    expect(imported()).toBeUndefined()
    await app.loadModules()
    expect(imported()).toEqual(['mail', 'video'])
  })

  test('CONF-005 CONF-006 comes after imports and include of the settings', async () => {
    const [mail, video] = ['mail', 'video'].map((name) => join(folder, name, 'tasks.mjs')) as [string, string]
    const app = newApp({ root: folder, settings: { include: [video], imports: [mail] } })
    await app.loadModules()
    expect(imported()).toEqual(['mail', 'video'])
  })

  test('is done at once where that is asked for', async () => {
    await newApp({ root: folder }).autodiscoverTasks(['video'], { force: true })
    expect(imported()).toEqual(['video'])
  })
})

describe('a fix-up', () => {
  test('gets the app when it is made; one that fails is told of', () => {
    const notices: string[] = []
    const seen: CeleryApp[] = []
    const app = newApp({
      notify: (message) => notices.push(message),
      fixups: [
        function broken() {
          throw new Error('of its own')
        },
        (made) => seen.push(made),
      ],
    })
    expect([seen, notices]).toEqual([[app], ['the fix-up broken failed: of its own']])
  })
})

test('a bug report has versions and settings, without secrets', () => {
  const app = newApp({ broker: 'amqp://me:hunter2@host//', backend: 'redis://:hunter2@host/0' })
  app.conf.taskTimeLimit = 7
  const report = app.bugreport()
  expect(report).toContain(`node:${process.versions.node}`)
  expect(report).toContain('settings -> transport:amqp results:redis://:**@host/0')
  expect(report).toContain('taskTimeLimit: 7')
  expect(report).not.toContain('hunter2')
  expect(newApp({ broker: 'memory://' }).bugreport()).toContain('results:disabled')
})
