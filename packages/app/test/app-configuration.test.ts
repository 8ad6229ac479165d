import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type AppOptions, CeleryApp, ImproperlyConfiguredError, ModuleNotFoundError } from '../src/index.ts'

afterEach(() => vi.unstubAllEnvs())

function newApp(options: AppOptions = {}): CeleryApp {
  const app = new CeleryApp('test', { notify: () => undefined, ...options })
  onTestFinished(() => app.close())
  return app
}

describe('settings from an object', () => {
  test('lie below options and changes, and above defaults', () => {
    const app = newApp({ settings: { taskDefaultQueue: 'option' } })
    app.addDefaults({ taskTimeLimit: 1, taskSoftTimeLimit: 1 })
    app.configFromObject({ task_default_queue: 'object', taskTimeLimit: 2, leaseMs: 2 })
    app.conf.leaseMs = 3
    expect([app.conf.taskDefaultQueue, app.conf.taskTimeLimit, app.conf.taskSoftTimeLimit, app.conf.leaseMs]).toEqual([
      'option',
      2,
      1,
      3,
    ])
  })

  test('are read when a setting is first used, or at once by force', () => {
    const app = newApp()
    const source: Record<string, unknown> = {}
    app.configFromObject(source)
    source['taskTimeLimit'] = 5
    expect(app.conf.taskTimeLimit).toBe(5)
    expect(() => newApp().configFromObject({ taskTimeLimti: 1 })).not.toThrow()
    expect(() => newApp().configFromObject({ taskTimeLimti: 1 }, { force: true })).toThrow(
      'did you mean taskTimeLimit?',
    )
    const wrong = newApp()
    wrong.configFromObject({ taskTimeLimti: 1 })
    for (const use of [() => wrong.conf.leaseMs, () => wrong.conf.humanize(), () => wrong.connectionForRead()]) {
      expect(use).toThrow('did you mean taskTimeLimit?')
    }
  })

  test('take the place of those before, and of changes made since they were read', () => {
    const app = newApp()
    app.conf.leaseMs = 1
    app.configFromObject({ taskTimeLimit: 1, taskSoftTimeLimit: 1 })
    expect([app.conf.leaseMs, app.conf.taskTimeLimit]).toEqual([1, 1])
    app.conf.publishTimeoutMs = 7
    app.configFromObject({ taskTimeLimit: 2 })
    const { leaseMs, publishTimeoutMs, taskSoftTimeLimit, taskTimeLimit } = app.conf
    expect([leaseMs, publishTimeoutMs, taskSoftTimeLimit, taskTimeLimit]).toEqual([30_000, 10_000, undefined, 2])
    const unread = newApp()
    unread.configFromObject({ taskTimeLimit: 1 })
    unread.configFromObject({ taskSoftTimeLimit: 2 })
    expect([unread.conf.taskTimeLimit, unread.conf.taskSoftTimeLimit]).toEqual([undefined, 2])
  })

  test('of a namespace', () => {
    const app = newApp()
    app.configFromObject({ CELERY_TASK_TIME_LIMIT: 4, DEBUG: true }, { namespace: 'CELERY' })
    expect(app.conf.taskTimeLimit).toBe(4)
  })
})

describe('settings from a module', () => {
  let folder: string

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'celery-config-')))
    const files = {
      'celery.config.mjs': 'export default { taskTimeLimit: 1 }\nexport const production = { taskTimeLimit: 2 }',
      'named.mjs': 'export const task_time_limit = 3',
      'plain.json': '{ "task_time_limit": 4 }',
      'broken.json': '{',
      'number.mjs': 'export default 7',
      'throws.mjs': 'throw new RangeError("of its own")',
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  })

  afterAll(() => rmSync(folder, { recursive: true }))

  test.each([
    ['celery.config.mjs', 1],
    ['celery.config', 1],
    ['celery.config.mjs:production', 2],
    ['celery.config:production', 2],
    ['named', 3],
    ['plain.json', 4],
    ['plain', 4],
  ])('%s', async (name, limit) => {
    const app = newApp()
    await app.configFromObject(join(folder, name))
    expect(app.conf.taskTimeLimit).toBe(limit)
  })

  test('by its URL', async () => {
    const app = newApp()
    await app.configFromObject(pathToFileURL(join(folder, 'named.mjs')))
    expect(app.conf.taskTimeLimit).toBe(3)
  })

  test('that is not there, or has none, is an error that says so', async () => {
    const load = (name: string) => newApp().configFromObject(join(folder, name))
    await expect(load('nothing')).rejects.toBeInstanceOf(ModuleNotFoundError)
    await expect(load('number')).rejects.toThrow('exports no settings; export an object of settings')
    await expect(load('named:production')).rejects.toThrow('exports no settings named "production"')
    await expect(load('broken.json')).rejects.toThrow(/broken\.json is no JSON/)
    await expect(load('throws')).rejects.toThrow(new RangeError('of its own'))
  })

  test('that is not there is passed over where that is asked for, one that throws is not', async () => {
    const app = newApp()
    await app.configFromObject(join(folder, 'nothing'), { silent: true })
    expect(app.conf.taskTimeLimit).toBeUndefined()
    await expect(app.configFromObject(join(folder, 'throws'), { silent: true })).rejects.toThrow('of its own')
  })

  test('must be awaited before the app is used', async () => {
    const app = newApp({ broker: 'memory://' })
    const loaded = app.configFromObject(join(folder, 'named'))
    const early = 'the settings are still being loaded from'
    await expect(app.sendTask('t')).rejects.toThrow(early)
    await expect(app.backend()).rejects.toThrow(early)
    expect(() => app.conf.taskTimeLimit).toThrow(early)
    expect(() => app.connectionForWrite()).toThrow(ImproperlyConfiguredError)
    await loaded
    expect(app.conf.taskTimeLimit).toBe(3)
  })

  test('that the environment names', async () => {
    vi.stubEnv('MY_CONFIG', join(folder, 'named'))
    const app = newApp()
    await app.configFromEnvVar('MY_CONFIG')
    expect(app.conf.taskTimeLimit).toBe(3)
    await expect(app.configFromEnvVar('MY_OTHER_CONFIG')).rejects.toThrow(
      'the environment variable MY_OTHER_CONFIG is not set',
    )
    await app.configFromEnvVar('MY_OTHER_CONFIG', { silent: true })
  })

  test('that CELERY_CONFIG_MODULE names, for an app that has none', async () => {
    vi.stubEnv('CELERY_CONFIG_MODULE', undefined)
    const app = newApp()
    await app.configure()
    vi.stubEnv('CELERY_CONFIG_MODULE', join(folder, 'named'))
    await app.configure()
    expect(app.conf.taskTimeLimit).toBe(3)
    const configured = newApp()
    configured.configFromObject({ taskTimeLimit: 9 })
    await configured.configure()
    expect(configured.conf.taskTimeLimit).toBe(9)
    vi.stubEnv('CELERY_CONFIG_MODULE', join(folder, 'nothing'))
    await expect(newApp().configure()).rejects.toBeInstanceOf(ModuleNotFoundError)
  })
})

describe('the configuration is told of', () => {
  test('before it is read and after, once, and to those who come later', () => {
    const app = newApp()
    const heard: string[] = []
    app.onConfigure.connect(({ conf }) => {
      heard.push('before')
      conf.update({ taskSoftTimeLimit: 1 })
    })
    const disconnect = app.onAfterConfigure.connect(({ conf }) => heard.push(`after ${conf.taskTimeLimit}`))
    app.onAfterConfigure.connect(() => heard.push('not heard'))()
    app.addDefaults(() => {
      heard.push('defaults')
      return { taskTimeLimit: 8 }
    })
    app.configFromObject({ leaseMs: 1 })
    expect(heard).toEqual([])
    expect([app.conf.leaseMs, app.conf.taskTimeLimit, app.conf.taskSoftTimeLimit]).toEqual([1, 8, 1])
    app.finalize()
    app.onAfterConfigure.connect(() => heard.push('late'))
    expect(heard).toEqual(['before', 'defaults', 'after 8', 'late'])
    disconnect()
    app.addDefaults(() => ({ taskTimeLimit: 9 }))
    expect(app.conf.taskTimeLimit).toBe(9)
    app.configFromObject({ leaseMs: 2 }, { force: true })
    expect(heard.at(-1)).toBe('late')
    expect(heard.filter((each) => each === 'before')).toHaveLength(2)
  })

  test('and further defaults keep the order in which they were added', () => {
    const app = newApp()
    app.addDefaults(() => ({ taskTimeLimit: 1, leaseMs: 1 }))
    app.addDefaults({ taskTimeLimit: 2 })
    expect([app.conf.taskTimeLimit, app.conf.leaseMs]).toEqual([2, 1])
    expect(() => app.addDefaults({ leaseMs: Number.NaN })).toThrow('leaseMs must be a number of milliseconds')
  })

  test('nobody, where it cannot be right', () => {
    const app = newApp()
    const heard: string[] = []
    app.onAfterConfigure.connect(() => heard.push('after'))
    app.configFromObject({ leaseMs: 'long' })
    expect(() => app.conf.leaseMs).toThrow(
      "the setting leaseMs must be a number of milliseconds, 0 or more, not 'long'",
    )
    expect(heard).toEqual([])
    app.configFromObject({ leaseMs: 5 })
    expect([app.conf.leaseMs, heard]).toEqual([5, ['after']])
  })
})
