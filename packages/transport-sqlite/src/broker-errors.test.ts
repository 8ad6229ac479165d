import { DatabaseBusyError, DatabaseUnavailableError } from '@celery/sqlite'
import { expect, test } from 'vitest'
import { endsConnection, toTransportError } from './broker-errors.ts'

test('F-13: a locked file or a full disk refuses for now and leaves the connection as it is', () => {
  for (const cause of [new DatabaseBusyError('/q.db'), new DatabaseUnavailableError('/q.db', 'full')]) {
    const error = toTransportError('sqlite:////q.db', cause, 'use')
    expect(error).toMatchObject({ code: 'ERR_CELERY_BROKER_BUSY', cause })
    expect(endsConnection(error)).toBe(false)
  }
})

test('a file that is gone or damaged ends the connection', () => {
  for (const reason of ['moved', 'corrupt', 'io', 'not-a-database'] as const) {
    const cause = new DatabaseUnavailableError('/q.db', reason)
    expect(toTransportError('sqlite:////q.db', cause, 'use')).toMatchObject({
      code: 'ERR_CELERY_CONNECTION_LOST',
      cause,
    })
  }
})

test('whatever keeps a file from being opened is a lost connection, which may be tried again', () => {
  const error = toTransportError('sqlite:////q.db', new DatabaseBusyError('/q.db'), 'open')
  expect(endsConnection(error)).toBe(true)
})

test.each(['not-a-file', 'network-file-system'] as const)(
  '%s is a mistake in the URL, which nobody tries again',
  (reason) => {
    const cause = new DatabaseUnavailableError('/q.db', reason)
    expect(toTransportError('sqlite:////q.db', cause, 'open')).toMatchObject({
      code: 'ERR_CELERY_INVALID_BROKER_URL',
      message: `broker URL "sqlite://…" is not valid: ${cause.message}`,
    })
  },
)

test('other errors stay what they are', () => {
  const error = new TypeError('a mistake')
  expect(toTransportError('sqlite:////q.db', error, 'use')).toBe(error)
})
