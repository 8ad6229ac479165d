import { expect, test } from 'vitest'
import { sayNotYet } from './say-not-yet.ts'

const notYet = { rediss: 'Redis', mysql: 'MySQL' }

test('a scheme whose driver is still to be made is told from a wrong one', () => {
  expect(sayNotYet('rediss', ['memory', 'sqlite'], notYet)).toBe(': there is no driver for Redis in this release')
  expect(sayNotYet('mysql', [], notYet)).toBe(': there is no driver for MySQL in this release')
})

test.each([
  ['nobody has heard of', 'ftp'],
  ['every object has a property of', 'constructor'],
  ['is almost that of a registered driver', 'rediss'],
])('nothing is said of a scheme that %s', (_, scheme) => {
  expect(sayNotYet(scheme, ['redis'], notYet)).toBe('')
})
