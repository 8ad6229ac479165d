import { databasePath } from '@celery/sqlite'
import { parseBrokerUrl } from '@celery/transport'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { brokerPath } from './broker-path.ts'

test('reads every path as a result store reads it, or refuses it as that does', () => {
  const parts = [...'ab/:%;?#@ .\u00fc', '%3B', '%2F', '%25', '%ff']
  const anyPath = fc.array(fc.constantFrom(...parts), { maxLength: 12 }).map((path) => path.join(''))
  fc.assert(
    fc.property(anyPath, (path) => {
      const url = `sqlite:///${path}`
      expect(outcome(() => brokerPath(parseBrokerUrl(url)))).toEqual(outcome(() => databasePath(url)))
    }),
  )
})

test('refuses a list of files by the name that broker URLs are refused by', () => {
  expect(() => brokerPath(parseBrokerUrl('sqlite:///a;b.db'))).toThrow(
    expect.objectContaining({
      code: 'ERR_CELERY_INVALID_BROKER_URL',
      reason: 'it names more than one file; write a ";" that belongs to a name as %3B',
    }) as Error,
  )
})

/** What it returns, or `undefined` where it refuses. */
function outcome(run: () => string): string | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
