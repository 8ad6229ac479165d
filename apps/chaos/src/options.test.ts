import { expect, test } from 'vitest'
import { readOptions, UsageError } from './options.ts'

test('has defaults for everything but the seed', () => {
  const { seed, ...options } = readOptions([])
  expect(seed).toBeGreaterThanOrEqual(0)
  expect(options).toMatchObject({
    broker: 'sqlite',
    topology: 'single',
    tasks: 5_000,
    faults: 50,
    pace: 1.5,
    python: 0,
  })
  expect(readOptions(['--broker', 'redis']).pace).toBe(3)
})

test('takes a number of cuts in the place of faults', () => {
  expect(readOptions(['--broker', 'redis', '--fetch-cut', '100'])).toMatchObject({ faults: 100, cut: 'delivery' })
  expect(readOptions(['--broker', 'redis', '--publish-cut', '7'])).toMatchObject({ faults: 7, cut: 'publish' })
})

test.each([
  [['--broker', 'rabbit'], /--broker must be one of sqlite, redis/],
  [['--tasks', 'many'], /--tasks must be a number of at least 10/],
  [['--broker', 'redis', '--faults', '5', '--fetch-cut', '5'], /--faults and --fetch-cut exclude each other/],
  [['--publish-cut', '5'], /--publish-cut needs --broker redis/],
  [['--python', '2'], /--python needs --broker redis/],
  [['--topology', 'cluster'], /--topology needs --broker redis/],
  [['--broker', 'redis', '--topology', 'sentinel', '--fetch-cut', '5'], /--fetch-cut needs --topology single/],
  [['--broker', 'redis', '--results', 'separate'], /--results separate needs --broker sqlite/],
  [['--bug', 'lose-cut'], /--bug lose-cut needs --broker redis/],
  [['--nonsense'], /nonsense/],
])('refuses %j', (args, message) => {
  expect(() => readOptions(args)).toThrow(UsageError)
  expect(() => readOptions(args)).toThrow(message)
})
