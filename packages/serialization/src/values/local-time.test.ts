import { expect, test } from 'vitest'
import { localTime } from './local-time.ts'

test.each([
  ['Europe/Berlin', '2026-01-15T12:00:00', '2026-01-15T11:00:00.000Z'],
  ['Europe/Berlin', '2026-07-15T12:00:00.250', '2026-07-15T10:00:00.250Z'],
  ['America/New_York', '2026-12-31T23:30:00', '2027-01-01T04:30:00.000Z'],
  ['Asia/Kathmandu', '2026-05-01T05:45:00', '2026-05-01T00:00:00.000Z'],
  ['UTC', '2026-05-01T05:45:00', '2026-05-01T05:45:00.000Z'],
  // Twice: the first. Skipped: as much later as the gap is long.
  ['Europe/Berlin', '2026-10-25T02:30:00', '2026-10-25T00:30:00.000Z'],
  ['Europe/Berlin', '2026-03-29T02:30:00', '2026-03-29T01:30:00.000Z'],
  ['Europe/Berlin', '0044-01-01T00:53:28', '0044-01-01T00:00:00.000Z'],
])('in %s, %s is %s', (zone, local, utc) => {
  expect(new Date(localTime(zone)(Date.parse(`${local}Z`))).toISOString()).toBe(utc)
})

test('a zone that nobody knows is an error', () => {
  expect(() => localTime('Mars/Olympus')).toThrow(RangeError)
})
