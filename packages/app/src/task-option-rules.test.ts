import { describe, expect, test } from 'vitest'
import { CeleryApp, TaskBase } from './index.ts'

/** As JavaScript lets it be written. */
type Unchecked = (name: string, fn: () => unknown, options: object) => unknown

const app = () => new CeleryApp('shop', { broker: 'memory://' })

describe('an option of a task that cannot be right', () => {
  test.each<[option: string, value: unknown, expected: string]>([
    ['rateLimit', '5 per second', "a number per second, or '10/s', '10/m', '10/h', not '5 per second'"],
    ['rateLimit', {}, "a number per second, or '10/s', '10/m', '10/h', not {}"],
    ['autoretryFor', ['Error'], "a list of error classes, or of functions that recognise errors, not [ 'Error' ]"],
    [
      'throws',
      RangeError,
      'a list of error classes, or of functions that recognise errors, not [Function: RangeError]',
    ],
    ['maxRetries', '3', "a whole number, 0 or more, or null for ever, not '3'"],
    ['maxRetries', -1, 'a whole number, 0 or more, or null for ever, not -1'],
    ['retryBackoff', 'yes', "true, false or a number of seconds, not 'yes'"],
    ['defaultRetryDelay', '3m', "a number of seconds, 0 or more, not '3m'"],
    ['timeLimit', -1, 'seconds from 0 to 315360000, not -1'],
    ['softTimeLimit', '30', "seconds from 0 to 315360000, not '30'"],
    ['expires', 'soon', "a finite number of seconds, not 'soon'"],
    ['acksLate', 1, 'true or false, not 1'],
    ['ignoreResult', 'yes', "true or false, not 'yes'"],
    ['priority', 'high', "an integer from 0 to 255, not 'high'"],
    ['queue', 5, 'the name of a queue, or one, not 5'],
    ['serializer', 5, 'a text, not 5'],
    ['deliveryMode', 3, '1 or 2, not 3'],
    ['exchangeType', 'topc', "direct or topic or fanout or headers, not 'topc'"],
    ['onFailure', 'log', "a function, not 'log'"],
    ['params', 'x', "a list of names, such as ['item', 'count?'], not 'x'"],
    ['base', 'Mail', "an object or a class, not 'Mail'"],
  ])('is refused where it is declared: %s, %o', (option, value, expected) => {
    const shop = app()
    const problem = `the option ${option} of the task "mail" must be ${expected}`
    expect(() => (shop.task as Unchecked).call(shop, 'mail', () => 1, { [option]: value })).toThrow(
      expect.objectContaining({ name: 'ImproperlyConfigured', setting: option, message: problem }),
    )
    expect(shop.tasks.has('mail')).toBe(false)
  })

  test.each<[what: string, declare: (shop: CeleryApp) => unknown]>([
    ['its own', (shop) => shop.task('mail', () => 1, { softTimeLimit: 5, timeLimit: 1 })],
    ['of a base and its own', (shop) => shop.task('mail', () => 1, { base: { timeLimit: 1 }, softTimeLimit: 5 })],
    ['of a base', (shop) => shop.task('mail', () => 1, { base: { timeLimit: 1, softTimeLimit: 5 } })],
  ])('is a soft limit that would never be reached: %s', (_what, declare) => {
    const shop = app()
    expect(() => declare(shop)).toThrow(
      expect.objectContaining({
        name: 'ImproperlyConfigured',
        setting: 'softTimeLimit',
        message: 'the option softTimeLimit of the task "mail" must be at most its timeLimit, which is 1, not 5',
      }),
    )
    expect(shop.tasks.has('mail')).toBe(false)
  })

  test.each([
    { softTimeLimit: 5, timeLimit: 5 },
    { softTimeLimit: 5, timeLimit: 0 },
    { softTimeLimit: 0, timeLimit: 1 },
    { softTimeLimit: 5 },
  ])('is none of the limits %o', (limits) => {
    expect(() => app().task('mail', () => 1, limits)).not.toThrow()
  })

  test('is refused of a base, and of an annotation when the task is first used', () => {
    class Careless extends TaskBase {
      override readonly maxRetries = -5
    }
    const shop = app()
    expect(() => shop.task('mail', () => 1, { base: Careless })).toThrow('"mail" must be a whole number')
    shop.conf.taskAnnotations = { '*': { rateLimit: 'often' as '1/s' } }
    const task = shop.task('mail', () => 1)
    expect(() => task.options).toThrow(`the option rateLimit of the task "mail" must be a number per second`)
  })
})

test('what is absent, null or unknown to us may be', () => {
  const shop = app()
  const options = { timeLimit: undefined, rateLimit: null, maxRetries: null, owner: { team: 'mail' } }
  expect(() => (shop.task as Unchecked).call(shop, 'mail', () => 1, options)).not.toThrow()
})
