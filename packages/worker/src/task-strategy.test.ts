import { Celery, type SettingsInput, type TaskOptions } from '@celery/app'
import { expect, test } from 'vitest'
import { createStrategy, type WorkerLimits } from './task-strategy.ts'

function strategy(options: TaskOptions = {}, settings: SettingsInput = {}, limits: WorkerLimits = {}) {
  const app = new Celery('test', { broker: 'memory://', settings })
  app.task('t', () => {}, options)
  const task = app.tasks.get('t')
  if (task === undefined) throw new Error('the task was just declared')
  return createStrategy(app, task, limits)
}

test("without anything it is Celery's", () => {
  expect(strategy()).toEqual({
    name: 't',
    acksLate: false,
    rejectOnWorkerLost: false,
    acksOnFailure: true,
    onTimeout: 'ack',
    ignoreResult: false,
    storeErrorsEvenIfIgnored: false,
    trackStarted: false,
    timeLimit: undefined,
    softTimeLimit: undefined,
    rateLimit: undefined,
  })
})

test('settings come last, then the worker, then the task', () => {
  const settings = { taskTimeLimit: 30, taskSoftTimeLimit: 20, taskAcksLate: true, taskTrackStarted: true }
  expect(strategy({}, settings)).toMatchObject({ timeLimit: 30, softTimeLimit: 20, acksLate: true, trackStarted: true })
  expect(strategy({}, settings, { timeLimit: 10 })).toMatchObject({ timeLimit: 10, softTimeLimit: 20 })
  const options = { timeLimit: 5, softTimeLimit: 4, acksLate: false, trackStarted: false }
  expect(strategy(options, settings, { timeLimit: 10, softTimeLimit: 9 })).toMatchObject(options)
})

test.each<[TaskOptions, SettingsInput, boolean, string]>([
  [{}, { taskAcksOnFailureOrTimeout: false }, false, 'dead'],
  [{}, { taskAcksOnFailure: false }, false, 'ack'],
  [{}, { taskAcksOnTimeout: false }, true, 'requeue'],
  [{}, { taskAcksOnFailureOrTimeout: false, taskAcksOnFailure: true, taskAcksOnTimeout: true }, true, 'ack'],
  [{ acksOnFailureOrTimeout: true }, { taskAcksOnFailure: false, taskAcksOnTimeout: false }, true, 'ack'],
  [{ acksOnFailureOrTimeout: false }, { taskAcksOnFailure: true, taskAcksOnTimeout: true }, false, 'dead'],
  [{ acksOnFailure: false }, {}, false, 'ack'],
  [{ acksOnFailure: true, acksOnFailureOrTimeout: false }, {}, true, 'dead'],
  [{ acksOnTimeout: false }, {}, true, 'requeue'],
  [{ acksOnTimeout: true, acksOnFailureOrTimeout: false }, {}, false, 'ack'],
  [{ acksOnTimeout: true }, { taskAcksOnTimeout: false, taskAcksOnFailureOrTimeout: false }, false, 'ack'],
])('TASK-017 CONF-024 CONF-025 CONF-026 with %j and %j', (options, settings, acksOnFailure, onTimeout) => {
  expect(strategy(options, settings)).toMatchObject({ acksOnFailure, onTimeout })
})

test('reliability "safe" acknowledges late and requeues what was lost, unless the task says otherwise', () => {
  expect(strategy({}, { reliability: 'safe' })).toMatchObject({ acksLate: true, rejectOnWorkerLost: true })
  expect(strategy({ acksLate: false }, { reliability: 'safe' })).toMatchObject({ acksLate: false })
})

test('a limit of 0 is none, so that a task can lift the one that all others have', () => {
  expect(strategy({ timeLimit: 0 }, { taskTimeLimit: 30 }).timeLimit).toBeUndefined()
  expect(strategy({}, { taskSoftTimeLimit: 20 }, { softTimeLimit: 0 }).softTimeLimit).toBeUndefined()
})

test.each([-1, Number.NaN])('a limit of %s is refused where it is given', (seconds) => {
  expect(() => strategy({ timeLimit: seconds })).toThrow('timeLimit of the task "t" must be seconds from 0')
  expect(() => strategy({}, { taskSoftTimeLimit: seconds })).toThrow('taskSoftTimeLimit must be a number of seconds')
})

test('WORK-044 a rate limit is of the task, else of the settings, and none where they are disabled', () => {
  expect(strategy({ rateLimit: '30/m' }).rateLimit).toBe(0.5)
  expect(strategy({ rateLimit: 10 }, { taskDefaultRateLimit: '1/h' }).rateLimit).toBe(10)
  expect(strategy({}, { taskDefaultRateLimit: '2/s' }).rateLimit).toBe(2)
  expect(strategy({ rateLimit: 0 }, { taskDefaultRateLimit: '2/s' }).rateLimit).toBeUndefined()
  expect(strategy({ rateLimit: 10 }, { workerDisableRateLimits: true }).rateLimit).toBeUndefined()
})

test('a rate limit that is none is refused where it is said', () => {
  expect(() => strategy({ rateLimit: '10/fortnight' })).toThrow(/rateLimit of the task "t" .*10\/fortnight/)
  expect(() => strategy({}, { taskDefaultRateLimit: '10/fortnight' })).toThrow(
    /setting taskDefaultRateLimit .*10\/fort/,
  )
})
