import { describe, expect, test } from 'vitest'
import { ImproperlyConfiguredError } from './app-errors.ts'
import { celerySettings } from './celery-settings.ts'
import { createConfiguration } from './configuration.ts'
import { defaultSettings } from './settings.ts'

function setUp() {
  const warnings: string[] = []
  return { warnings, ...createConfiguration({ warn: (message) => warnings.push(message) }) }
}

describe('a setting', () => {
  test('is read and written in either spelling', () => {
    const { conf } = setUp()
    conf.taskAcksLate = true
    expect(Reflect.get(conf, 'task_acks_late')).toBe(true)
    Reflect.set(conf, 'worker_prefetch_multiplier', 1)
    expect(conf.workerPrefetchMultiplier).toBe(1)
    conf.update({ task_default_queue: 'a', taskDefaultPriority: 3 })
    expect([conf.taskDefaultQueue, conf.taskDefaultPriority]).toEqual(['a', 3])
  })

  test('has its default until it is set', () => {
    const { conf, settings } = setUp()
    for (const name of Object.keys(defaultSettings) as (keyof typeof defaultSettings)[]) {
      expect(conf[name]).toBe(defaultSettings[name])
      expect(settings[name]).toBe(defaultSettings[name])
    }
  })

  test('is seen at once by those who hold the plain values', () => {
    const { conf, settings } = setUp()
    conf.resultExpires = 60
    expect(settings.resultExpires).toBe(60)
  })

  test('is asked for with `in`, in either spelling', () => {
    const { conf } = setUp()
    expect(['brokerUrl' in conf, 'broker_url' in conf, 'nothing' in conf]).toEqual([true, true, false])
  })

  test('belongs to its app', () => {
    const [a, b] = [setUp(), setUp()]
    a.conf.taskDefaultQueue = 'a'
    expect(b.conf.taskDefaultQueue).toBe('celery')
    expect(defaultSettings.taskDefaultQueue).toBe('celery')
  })
})

describe('a name that is no setting', () => {
  test.each([
    ['taskAckLate', 'did you mean taskAcksLate?'],
    ['task_ack_late', 'did you mean taskAcksLate?'],
    ['brokerurl', 'did you mean brokerUrl?'],
    ['beatScheduel', 'did you mean beatSchedule?'],
    ['completelyDifferent', 'see the list of settings in the documentation'],
    ['constructor', 'see the list of settings in the documentation'],
    ['__proto__', 'see the list of settings in the documentation'],
  ])('%s is refused: %s', (name, hint) => {
    const { conf, warnings } = setUp()
    const set = () => conf.update(JSON.parse(`{"${name}": 1}`))
    expect(set).toThrow(ImproperlyConfiguredError)
    expect(set).toThrow(`there is no setting "${name}"; ${hint}`)
    expect(() => Reflect.set(conf, name, 1)).toThrow(ImproperlyConfiguredError)
    expect(warnings).toEqual([])
  })

  test('says which one it was', () => {
    const { conf } = setUp()
    try {
      conf.update({ nonsense: 1 })
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ setting: 'nonsense', code: 'ERR_CELERY_IMPROPERLY_CONFIGURED' })
    }
  })

  test('is one once a plug-in has declared it', () => {
    const { conf, warnings } = setUp()
    conf.declare('my_plugin_level')
    conf.update({ myPluginLevel: 2 })
    expect(Reflect.get(conf, 'my_plugin_level')).toBe(2)
    expect(() => conf.update({ myPluginLevle: 2 })).toThrow('did you mean myPluginLevel?')
    expect(warnings).toEqual([])
  })
})

describe("a setting of Celery's without effect here", () => {
  test('is kept, and told of once', () => {
    const { conf, warnings } = setUp()
    conf.update({ worker_hijack_root_logger: false })
    conf.update({ workerHijackRootLogger: true })
    expect(Reflect.get(conf, 'workerHijackRootLogger')).toBe(true)
    expect(warnings).toEqual(['the setting workerHijackRootLogger has no effect in this release'])
    conf.update({ beatMaxLoopInterval: 1 })
    expect(warnings).toHaveLength(2)
  })

  test('a setting with effect is told of never', () => {
    const { conf, warnings } = setUp()
    conf.update({ ...defaultSettings })
    expect(warnings).toEqual([])
  })
})

test('every setting with effect that is not marked as ours is one of Celery', () => {
  const ours = [
    'taskDisableSyncSubtasks',
    'reliability',
    'prefetchAheadMs',
    'leaseMs',
    'publishTimeoutMs',
    'maxRedeliveries',
  ]
  expect(Object.keys(defaultSettings).filter((name) => !celerySettings.has(name))).toEqual(ours)
})
