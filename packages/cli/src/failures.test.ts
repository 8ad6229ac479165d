import { Celery } from '@celery/app'
import { CeleryError } from '@celery/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
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
  [new Failure('ERR_CELERY_UNKNOWN_TRANSPORT'), 64],
  [new Failure('ERR_CELERY_UNKNOWN_BACKEND'), 64],
  [new Failure('ERR_CELERY_INVALID_BROKER_URL'), 64],
  [new Failure('ERR_CELERY_INVALID_SERVER_URL'), 64],
  [new Failure('ERR_CELERY_INVALID_REDIS_ADDRESS'), 64],
  [new Failure('ERR_CELERY_INVALID_DATABASE_URL'), 64],
  [new Failure('ERR_CELERY_REDIS_REFUSED'), 78],
  [new Failure('ERR_CELERY_STEP_FAILED', { cause: new Failure('ERR_CELERY_REDIS_REFUSED') }), 78],
  [new Failure('ERR_CELERY_CONNECTION_LOST'), 69],
  [new Failure('ERR_CELERY_BACKEND_UNAVAILABLE'), 69],
  [new Failure('ERR_CELERY_STEP_FAILED', { cause: new Failure('ERR_CELERY_CONNECTION_LOST') }), 69],
  [new Failure('ERR_CELERY_PID_FILE'), 73],
  [new Failure('ERR_CELERY_HEALTH_ADDRESS'), 1],
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

describe('what a driver says that serves broker and results', () => {
  class Refused extends Failure {
    readonly address: string

    constructor(address: string) {
      super('ERR_CELERY_REDIS_REFUSED')
      this.address = address
    }
  }

  async function opened(broker: string, backend: string): Promise<CommandContext> {
    const app = new Celery('shop', { broker, backend })
    onTestFinished(() => app.close())
    const flags = { color: true, resultBackend: backend }
    const context = new CommandContext({ app }, () => flags)
    await context.openApp()
    return context
  }

  const brokerOrigin = 'The broker URL is that of the setting brokerUrl.'
  const resultOrigin = 'The URL of the result store is that of --result-backend on the command line.'

  test.each([
    ['redis://:**@a:6379/0', [brokerOrigin]],
    ['redis://:**@b:6379/0', [resultOrigin]],
    ['redis://:**@b:6379/0 (c:6379)', [resultOrigin]],
    ['redis://elsewhere', []],
  ])('is told with the origin of the URL that it is about: %s', async (address, origins) => {
    const context = await opened('redis://:secret@a:6379/0', 'redis://:secret@b:6379/0')
    const text = describeFailure(new Refused(address), context)
    expect(text.split('\n')).toEqual(['this is ERR_CELERY_REDIS_REFUSED', ...origins])
  })

  test('is told without it where a setting is to blame', async () => {
    const context = await opened('redis://a/0', 'redis://a/0')
    const failure = new Failure('ERR_CELERY_INVALID_BROKER_URL')
    expect(describeFailure(failure, context)).toContain(brokerOrigin)
    const blamed = Object.assign(failure, { setting: 'brokerTransportOptions' })
    expect(describeFailure(blamed, context)).toBe('this is ERR_CELERY_INVALID_BROKER_URL')
  })

  test('is told with both where both are the same', async () => {
    const context = await opened('redis://:secret@a/0', 'redis://:secret@a/0')
    expect(describeFailure(new Refused('redis://:**@a/0'), context)).toContain(`${brokerOrigin}\n${resultOrigin}`)
  })
})
