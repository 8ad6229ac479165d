import { CeleryError } from '@celery/promises'
import { expect, test } from 'vitest'
import { CommandContext } from './command-context.ts'
import { describeFailure, exitStatus } from './failures.ts'
import { UsageError } from './usage-error.ts'

class Failure extends CeleryError {
  override readonly name = 'Failure'
  readonly code: string

  constructor(code: string, options?: ErrorOptions) {
    super(`this is ${code}`, options)
    this.code = code
  }
}

const context = new CommandContext({}, () => ({ color: true, broker: 'redis://localhost' }))

test.each([
  [new UsageError('no'), 64],
  [new Failure('ERR_CELERY_CONNECTION_LOST'), 69],
  [new Failure('ERR_CELERY_BACKEND_UNAVAILABLE'), 69],
  [new Failure('ERR_CELERY_STEP_FAILED', { cause: new Failure('ERR_CELERY_CONNECTION_LOST') }), 69],
  [new Failure('ERR_CELERY_PID_FILE'), 73],
  [new Failure('ERR_CELERY_ANYTHING'), 1],
  [new TypeError('a mistake of ours'), 1],
  ['no error at all', 1],
])('WORK-032 %s ends with status %d', (error, status) => {
  expect(exitStatus(error)).toBe(status)
})

test('an error of ours is told in its words, with the origin of the URL that it is about, a foreign one with its stack', () => {
  expect(describeFailure(new UsageError('no'), context)).toBe('no')
  const lost = new Failure('ERR_CELERY_CONNECTION_LOST')
  expect(describeFailure(lost, context)).toBe(
    'this is ERR_CELERY_CONNECTION_LOST\nThe broker URL is that of -b on the command line.',
  )
  expect(describeFailure(new TypeError('oops'), context)).toMatch(/^TypeError: oops\n +at /)
})
