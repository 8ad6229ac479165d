import { expect, test } from 'vitest'
import { translateError } from './errors.ts'

/** As `node:sqlite` and libsql throw it. */
function driverError(key: 'errcode' | 'rawCode', code: number): Error {
  return Object.assign(new Error('of the driver'), { [key]: code })
}

test.each([
  ['SQLITE_BUSY', 5],
  ['SQLITE_LOCKED', 6],
  ['SQLITE_PROTOCOL', 15],
  ['SQLITE_BUSY_RECOVERY', 5 | (1 << 8)],
])('%s says that others have the file, and that trying again helps', (_name, code) => {
  for (const key of ['errcode', 'rawCode'] as const) {
    const cause = driverError(key, code)
    expect(translateError('/srv/queue.db', cause)).toMatchObject({ code: 'ERR_CELERY_DATABASE_BUSY', cause })
  }
})

test.each([
  ['SQLITE_IOERR_WRITE', 10 | (3 << 8), 'io'],
  ['SQLITE_FULL', 13, 'full'],
])('%s says what the file suffers from', (_name, code, reason) => {
  expect(translateError('/srv/queue.db', driverError('rawCode', code))).toMatchObject({ reason })
})

test('an error of the statement itself stays what it is', () => {
  const error = driverError('errcode', 1)
  expect(translateError('/srv/queue.db', error)).toBe(error)
})
