import { describe, expect, test } from 'vitest'
import { createConfiguration, type SettingsInput } from './configuration.ts'
import { defaultSettings, settingDefinitions } from './settings.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'

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
      // @ts-expect-error the compiler says so too
      conf.update({ nonsense: 1 })
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ setting: 'nonsense', code: 'ERR_CELERY_IMPROPERLY_CONFIGURED' })
    }
  })

  test('is one once a plug-in has declared it', () => {
    const { conf, warnings } = setUp()
    conf.declare('my_plugin_level')
    conf.update({ my_plugin_level: 2 } as SettingsInput)
    expect(Reflect.get(conf, 'my_plugin_level')).toBe(2)
    expect(() => conf.update({ my_plugin_levle: 2 } as SettingsInput)).toThrow('did you mean myPluginLevel?')
    expect(warnings).toEqual([])
  })
})

describe('a setting without effect', () => {
  test('of a later release is kept, and told of once', () => {
    const { conf, warnings } = setUp()
    conf.update({ database_short_lived_sessions: true })
    conf.update({ databaseShortLivedSessions: false })
    conf.databaseShortLivedSessions = true
    expect(Reflect.get(conf, 'database_short_lived_sessions')).toBe(true)
    expect(warnings).toEqual(['the setting databaseShortLivedSessions has no effect in this release'])
    conf.update({ cacheBackend: 'memory' })
    expect(warnings).toHaveLength(2)
  })

  test('that never will have one says why', () => {
    const { conf, warnings } = setUp()
    conf.update({ worker_hijack_root_logger: false })
    expect(conf.workerHijackRootLogger).toBe(false)
    expect(warnings).toEqual([
      'the setting workerHijackRootLogger has no effect here: there is no root logger to replace',
    ])
  })

  test('is not told of where it is given its default', () => {
    const { conf, warnings } = setUp()
    conf.update({ ...defaultSettings })
    expect(warnings).toEqual([])
  })
})

describe('the value of a setting', () => {
  test('is refused for a soft limit that would never be reached, and nothing of what came with it is kept', () => {
    const { conf } = setUp()
    const limits = { taskTimeLimit: 1, task_soft_time_limit: 5, workerConcurrency: 3 }
    expect(() => conf.update(limits)).toThrow(
      expect.objectContaining({
        setting: 'taskSoftTimeLimit',
        message: 'the setting taskSoftTimeLimit must be at most taskTimeLimit, which is 1, not 5',
      }),
    )
    expect([conf.taskTimeLimit, conf.workerConcurrency]).toEqual([undefined, undefined])
    conf.update({ taskTimeLimit: 5, taskSoftTimeLimit: 5 })
    // One after the other, each may be wrong beside what the other is to replace.
    conf.taskTimeLimit = 1
    conf.taskSoftTimeLimit = 0.5
    expect([conf.taskTimeLimit, conf.taskSoftTimeLimit]).toEqual([1, 0.5])
  })

  const options = 'an object, with numbers for maxRetries, intervalStart, intervalStep and intervalMax'
  const rate = "a number per second, or '10/s', '10/m', '10/h'"
  test.each<[string, unknown, string]>([
    ['task_time_limit', '10', "taskTimeLimit must be a number of seconds, 0 or more, not '10'"],
    ['taskTimeLimit', -1, 'taskTimeLimit must be a number of seconds, 0 or more, not -1'],
    ['taskTimeLimit', Number.NaN, 'taskTimeLimit must be a number of seconds, 0 or more, not NaN'],
    ['leaseMs', '1', "leaseMs must be a number of milliseconds, 0 or more, not '1'"],
    ['workerConcurrency', 1.5, 'workerConcurrency must be a whole number, 0 or more, not 1.5'],
    ['workerConcurrency', -1, 'workerConcurrency must be a whole number, 0 or more, not -1'],
    ['taskDefaultPriority', 'high', "taskDefaultPriority must be an integer from 0 to 255, not 'high'"],
    ['taskAcksLate', 'yes', "taskAcksLate must be true or false, not 'yes'"],
    ['taskAcksLate', null, 'taskAcksLate must be true or false, not null'],
    ['taskSerializer', 7, 'taskSerializer must be a text, not 7'],
    ['acceptContent', 'json', "acceptContent must be a list of texts, not 'json'"],
    ['imports', ['a', 1], "imports must be a list of texts, not [ 'a', 1 ]"],
    ['reliability', 'sure', "reliability must be one of 'celery', 'safe', not 'sure'"],
    ['taskProtocol', 3, 'taskProtocol must be one of 1, 2, not 3'],
    ['brokerTransportOptions', [], `brokerTransportOptions must be ${options}, not []`],
    ['brokerUseSsl', 'on', "brokerUseSsl must be true, false or an object, not 'on'"],
    ['taskDefaultRateLimit', true, `taskDefaultRateLimit must be ${rate}, not true`],
    ['taskDefaultRateLimit', '10/fortnight', `taskDefaultRateLimit must be ${rate}, not '10/fortnight'`],
    ['task_default_rate_limit', -1, `taskDefaultRateLimit must be ${rate}, not -1`],
    [
      'brokerTransportOptions',
      { max_retries: '3', password: 'hunter2' },
      `brokerTransportOptions must be ${options}, not { max_retries: '3', password: '********' }`,
    ],
    [
      'broker_transport_options',
      { intervalStep: null },
      `brokerTransportOptions must be ${options}, not { intervalStep: null }`,
    ],
    ['resultExpires', 'never', "resultExpires must be a number of seconds, 0 or more or null, not 'never'"],
    ['taskPublishRetryPolicy', { max_retires: 1 }, 'taskPublishRetryPolicy must be an object with some of maxRetries'],
    ['taskRoutes', 7, 'taskRoutes must be an object, a list or a function, not 7'],
  ])('%s cannot be %j', (name, value, message) => {
    const { conf } = setUp()
    const before = { ...conf.table({ withDefaults: true }) }
    expect(() => conf.update({ taskDefaultQueue: 'other', [name]: value })).toThrow(ImproperlyConfiguredError)
    expect(() => Reflect.set(conf, name, value)).toThrow(`the setting ${message}`)
    expect(conf.table({ withDefaults: true })).toEqual(before)
  })

  test.each(['brokerUrl', 'resultBackend', 'redisPassword', 's3SecretAccessKey', 'broker_password'])(
    'of %s is in no error',
    (name) => {
      const { conf } = setUp()
      const secret = { toString: () => 'hunter2', hunter2: 1 }
      const set = () => conf.update({ [name]: secret })
      expect(set).toThrow(/, not a object$/)
      expect(set).not.toThrow(/hunter2/)
    },
  )

  test('null is none, where that means something', () => {
    const { conf } = setUp()
    conf.update({ task_time_limit: 3, task_routes: null, resultExpires: null })
    conf.update({ task_time_limit: null })
    expect([conf.taskTimeLimit, conf.taskRoutes, conf.resultExpires]).toEqual([undefined, undefined, null])
  })

  test('undefined takes it back', () => {
    const { conf } = setUp()
    conf.update({ taskTimeLimit: 3 })
    conf.taskTimeLimit = undefined
    expect([conf.taskTimeLimit, conf.valueSetFor('taskTimeLimit')]).toEqual([undefined, false])
    conf.update({ taskDefaultQueue: undefined as unknown as string })
    expect(conf.taskDefaultQueue).toBe('celery')
  })

  test('a part of the retry policy leaves the rest as it was, in either spelling', () => {
    const { conf } = setUp()
    conf.update({ task_publish_retry_policy: { max_retries: null, interval_start: 1 } })
    expect(conf.taskPublishRetryPolicy).toEqual({
      maxRetries: null,
      intervalStart: 1,
      intervalStep: 0.2,
      intervalMax: 1,
    })
  })
})

describe('names of Celery 3', () => {
  test.each([
    ['CELERY_ACKS_LATE', 'taskAcksLate', true],
    ['CELERYD_CONCURRENCY', 'workerConcurrency', 3],
    ['CELERYBEAT_SCHEDULE', 'beatSchedule', { a: {} }],
    ['BROKER_URL', 'brokerUrl', 'memory://'],
    ['CELERY_RESULT_BACKEND', 'resultBackend', 'memory://'],
    ['CELERY_TASK_RESULT_EXPIRES', 'resultExpires', 7],
    ['CELERYD_TASK_TIME_LIMIT', 'taskTimeLimit', 8],
    ['CELERY_TASK_SERIALIZER', 'taskSerializer', 'yaml'],
    ['CELERY_SEND_EVENTS', 'workerSendTaskEvents', true],
    ['CELERY_MAX_CACHED_RESULTS', 'resultCacheMax', 9],
    ['CELERY_IMPORTS', 'imports', ['a']],
    ['ENABLE_UTC', 'enableUtc', false],
    ['S3_BUCKET', 's3Bucket', 'b'],
  ])('%s is %s, and told of once', (old, name, value) => {
    const { conf, warnings } = setUp()
    conf.update({ [old]: value })
    conf.update({ [old]: value })
    expect([Reflect.get(conf, name), Reflect.get(conf, old)]).toEqual([value, value])
    expect(warnings.filter((warning) => warning.includes('other names'))).toEqual([
      `settings have other names since Celery 4: ${old} is ${name}`,
    ])
  })

  test('mixed with new ones are refused, with what to rename', () => {
    const { conf } = setUp()
    expect(() => conf.update({ CELERY_ACKS_LATE: true, BROKER_URL: 'memory://', task_track_started: true })).toThrow(
      'new names of settings cannot be mixed with old ones; rename CELERY_ACKS_LATE to taskAcksLate, BROKER_URL to brokerUrl',
    )
    expect(conf.taskTrackStarted).toBe(false)
  })

  test('may stand beside the new name of the same setting, which counts', () => {
    const { conf } = setUp()
    conf.update({ CELERY_TASK_RESULT_EXPIRES: 1, result_expires: 2, task_track_started: true })
    expect([conf.resultExpires, conf.taskTrackStarted]).toEqual([2, true])
  })
})

describe('showing settings', () => {
  test('only what was set, secrets masked at any depth', () => {
    const { conf } = setUp()
    conf.declare('my_api')
    conf.declare('_private')
    conf.update({
      broker_url: ['amqp://me:hunter2@one//', 'redis://:hunter2@two/0'],
      brokerReadUrl: 'amqp://me:hunter2@one;amqp://me:hunter2@two',
      resultBackend: 'redis://:hunter2@three/0?password=hunter2',
      redisPassword: 'hunter2',
      my_api: 'hunter2',
      _private: 'hunter2',
      brokerTransportOptions: { sentinelKwargs: { password: 'hunter2', db: 1 }, url: '://:hunter2@' },
      taskTimeLimit: 5,
    } as SettingsInput)
    expect(conf.table()).toEqual({
      brokerReadUrl: 'amqp://me:**@one;amqp://me:**@two',
      brokerTransportOptions: { sentinelKwargs: { password: '********', db: 1 }, url: '********' },
      brokerUrl: ['amqp://me:**@one//', 'redis://:**@two/0'],
      myApi: '********',
      redisPassword: '********',
      resultBackend: 'redis://:**@three/0?password=**',
      taskTimeLimit: 5,
    })
    expect(conf.humanize()).not.toContain('hunter2')
    expect(conf.humanize().split('\n')).toContain('taskTimeLimit: 5')
    expect(conf.humanize({ withDefaults: true })).toContain('workerPrefetchMultiplier: 4')
    expect(conf.table({ censored: false })).toMatchObject({ redisPassword: 'hunter2' })
    expect(conf.withoutDefaults()).toMatchObject({ redisPassword: 'hunter2', _private: 'hunter2' })
  })

  test('finds a setting by its name or the end of it', () => {
    const { conf } = setUp()
    conf.workerConcurrency = 3
    expect(conf.findOption('disable_rate_limits')?.name).toBe('workerDisableRateLimits')
    expect(conf.findOption('taskAcksLate')).toEqual({
      name: 'taskAcksLate',
      definition: { kind: 'boolean', default: false },
    })
    expect(conf.findOption('url')?.name).toBe(conf.findOption('url', 'nothing')?.name)
    expect(conf.findOption('serializer', 'result')?.name).toBe('resultSerializer')
    expect(conf.findOption('nothing_of_the_kind')).toBeUndefined()
    expect([conf.findValueForKey('concurrency'), conf.getByParts('worker', 'concurrency')]).toEqual([3, 3])
    expect([conf.valueSetFor('worker_concurrency'), conf.valueSetFor('workerPool')]).toEqual([true, false])
  })
})

describe('layers', () => {
  test('changes count first, then the environment, options, the source, further defaults, the built-in ones', () => {
    const { conf, layers } = setUp()
    const seen: unknown[] = [conf.taskTimeLimit]
    layers.addDefaults()({ taskTimeLimit: 1 })
    seen.push(conf.taskTimeLimit)
    layers.addDefaults()({ task_time_limit: 2 })
    seen.push(conf.taskTimeLimit)
    for (const [index, layer] of (['source', 'options', 'environment', 'changes'] as const).entries()) {
      layers.assign(layer, { taskTimeLimit: 3 + index })
      seen.push(conf.taskTimeLimit)
    }
    expect(seen).toEqual([undefined, 1, 2, 3, 4, 5, 6])
    layers.addDefaults()({ taskTimeLimit: 9 })
    expect(conf.taskTimeLimit).toBe(6)
    for (const layer of ['changes', 'environment', 'options', 'source'] as const) layers.clear(layer)
    expect(conf.taskTimeLimit).toBe(9)
  })

  test('with a namespace, only what begins with it counts', () => {
    const { conf, layers, warnings } = setUp()
    const source = { CELERY_TASK_TIME_LIMIT: 4, CELERY_BROKER_URL: 'memory://', DEBUG: true, task_time_limit: 5 }
    layers.assign('source', source, 'CELERY')
    expect([conf.taskTimeLimit, conf.brokerUrl, warnings]).toEqual([4, 'memory://', []])
    expect(() => layers.assign('source', { CELERY_TASK_TIME_LIMTI: 1 }, 'CELERY')).toThrow(
      'did you mean taskTimeLimit?',
    )
  })
})

test('every setting has a default that it may be set to', () => {
  const { conf } = setUp()
  for (const [name, { default: normal }] of Object.entries(settingDefinitions)) {
    if (normal !== undefined) conf.update({ [name]: normal })
    expect(Reflect.get(conf, name)).toEqual(normal)
  }
})
