import { readRedisTarget } from '@celery/redis'
import { parseBrokerUrl } from '@celery/transport'
import { describe, expect, test } from 'vitest'
import { readFanoutSettings } from './fanout-channels.ts'
import { readBrokerSettings } from './redis-options.ts'

const address = parseBrokerUrl('redis://h')

describe('the options of the broker', () => {
  test('are all known where a target is read, so that a slip in one is refused', () => {
    const names = new Set<string>()
    const recorder = new Proxy<Record<string, unknown>>({}, { get: (_, name) => void names.add(String(name)) })
    readBrokerSettings('redis://h', [recorder])
    readFanoutSettings('redis://h', [recorder])
    expect(names.size).toBeGreaterThan(20)
    for (const name of names) expect(() => readRedisTarget(address, { [name]: null })).not.toThrow()
    for (const name of names) expect(() => readRedisTarget(address, { [`${name}x`]: null })).toThrow('did you mean')
  })

  test('TRAN-023: how often lost messages of Python are looked for is told as kombu tells it', () => {
    const everyMs = (options: Readonly<Record<string, unknown>>): number =>
      readBrokerSettings('redis://h', [options]).unackedRestoreEveryMs
    expect(everyMs({})).toBe(100_000)
    expect(everyMs({ unacked_restore_interval: 5 })).toBe(50_000)
    expect(everyMs({ unacked_restore_interval: 1, unackedRestoreThrottle: 1 })).toBe(1_000)
  })

  test.each([
    [{ unacked_restore_interval: 0 }, '"unacked_restore_interval" has workers search without a pause'],
    [{ unacked_restore_throttle: 0 }, '"unacked_restore_throttle" has workers search without a pause'],
    [{ unacked_restore_limit: 1.5 }, '"unacked_restore_limit" is not a whole number'],
    [{ queue_order_strategy: 'random' }, '"queue_order_strategy" is none of round_robin, sorted, priority'],
    [{ sep: '' }, '"sep" is empty'],
    [{ sep: 7 }, '"sep" is not text'],
    [{ priority_steps: [] }, '"priority_steps" is not a list of numbers'],
    [{ priority_steps: [10] }, '"priority_steps" holds something else than whole numbers from 0 to 9'],
  ])('are named where they are wrong: %j', (options, problem) => {
    expect(() => readBrokerSettings('redis://h', [options])).toThrow(problem)
  })

  test('TRAN-025: lists have their names with another separator', () => {
    expect(readBrokerSettings('redis://h', [{ sep: ':' }]).separator).toBe(':')
    expect(readBrokerSettings('redis://h', [{ priority_steps: [5, 2] }]).prioritySteps).toEqual([0, 2, 5])
  })
})
