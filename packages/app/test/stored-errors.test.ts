import { decodeExceptionForm, ErrorRegistry, errorFromForm, exceptionForm } from '@celery/protocol'
import { describe, expect, test } from 'vitest'
import {
  CeleryApp,
  NotRegisteredError,
  SoftTimeLimitExceededError,
  TaskArgumentsError,
  TaskRevokedError,
  TimeLimitExceededError,
  WorkerLostError,
} from '../src/index.ts'
import { goldenRecord } from './golden.ts'

const { errors } = new CeleryApp('errors', { broker: 'memory://' })

describe('an error that a Python worker has stored is ours of the same meaning', () => {
  test.each<[string, new (...args: never[]) => Error, string]>([
    ['hard_time_limit', TimeLimitExceededError, 'the task ran longer than its hard time limit of 1 s'],
    ['soft_time_limit', SoftTimeLimitExceededError, 'the task ran longer than its soft time limit'],
    ['revoked', TaskRevokedError, 'revoked'],
    ['revoked_expired', TaskRevokedError, 'expired'],
    ['failure_unregistered', NotRegisteredError, 'the worker that got the call knows no task "no.such.task"'],
  ])('%s', (name, errorClass, message) => {
    const error = errorFromForm(decodeExceptionForm(goldenRecord(name)['result']), errors)
    expect(error).toBeInstanceOf(errorClass)
    expect(error.message).toContain(message)
  })
})

describe('an error of ours is stored as Python stores its own', () => {
  test.each<[string, Error]>([
    ['hard_time_limit', new TimeLimitExceededError(1)],
    ['soft_time_limit', new SoftTimeLimitExceededError(undefined)],
    ['revoked', new TaskRevokedError('revoked')],
    ['failure_unregistered', new NotRegisteredError('no.such.task', 'no.such.tusk')],
  ])('%s', (name, error) => {
    expect(exceptionForm(error, errors)).toEqual(goldenRecord(name)['result'])
  })

  test.each<[Error, new (...args: never[]) => Error]>([
    [new WorkerLostError('exit status 9'), WorkerLostError],
    [new SoftTimeLimitExceededError(2), SoftTimeLimitExceededError],
    [new TaskArgumentsError('add', 'takes 2 positional arguments'), TypeError],
  ])('%s comes back', (error, errorClass) => {
    const back = errorFromForm(exceptionForm(error, errors), errors)
    expect(back).toBeInstanceOf(errorClass)
    expect(back.message).toBe(error.message)
  })
})

test('what an app registers belongs to that app', () => {
  class Mine extends Error {}
  errors.register(Mine)
  const form = exceptionForm(new Mine('x'), errors)
  expect(errorFromForm(form, errors)).toBeInstanceOf(Mine)
  expect(errorFromForm(form, new ErrorRegistry())).not.toBeInstanceOf(Mine)
})
