import { describe, expect, test } from 'vitest'
import { FanoutChannels, type FanoutSettings, hears, readFanoutSettings } from './fanout-channels.ts'

function channels(settings: Partial<FanoutSettings> = {}, keyPrefix = '', db = 0): FanoutChannels {
  return new FanoutChannels({ ...readFanoutSettings('redis://', []), ...settings }, keyPrefix, db)
}

describe('channels of fanout exchanges', () => {
  test.each([
    ['celery.pidbox', '', '/0.celery.pidbox'],
    ['celeryev', 'worker.heartbeat', '/0.celeryev/worker.heartbeat'],
    ['celeryev', 'a*b', '/0.celeryev/a*b'],
  ])('%s with key "%s" is published to %s', (exchange, routingKey, channel) => {
    expect(channels().channel(exchange, routingKey)).toBe(channel)
  })

  test.each([
    ['celery.pidbox', '', '/0.celery.pidbox', false],
    ['celeryev', 'worker.online', '/0.celeryev/worker.online', false],
    ['celeryev', 'worker.#', '/0.celeryev/worker.*', true],
    ['celeryev', '#', '/0.celeryev/*', true],
    ['celeryev', 'task.*.end', '/0.celeryev/task.*.end', true],
    ['odd[name]?', 'a\\b.#', '/0.odd\\[name\\]\\?/a\\\\b.*', true],
    ['odd[name]?', 'a\\b', '/0.odd[name]?/a\\b', false],
  ])('%s with key "%s" is listened to at %s', (exchange, routingKey, text, isPattern) => {
    expect(channels().channels(exchange, routingKey)).toMatchObject({ text, isPattern })
  })

  test('name the database, which PUB/SUB does not tell apart, and begin with the prefix of all keys', () => {
    expect(channels({}, 'pfx:', 3).channel('x', 'key')).toBe('pfx:/3.x/key')
    expect(channels({ prefix: 'all.{db}.' }, '', 3).channel('x', '')).toBe('all.3.x')
    expect(channels({ prefix: '' }, 'pfx:').channel('x', '')).toBe('pfx:x')
  })

  test('leave keys out without patterns: every queue hears all', () => {
    const plain = channels({ patterns: false })
    expect(plain.channel('x', 'key')).toBe('/0.x')
    expect(plain.channels('x', 'worker.#')).toMatchObject({ text: '/0.x', isPattern: false })
  })

  test.each([
    ['worker.#', ['worker.a', 'worker.a.b', 'worker.'], ['worker', 'task.a', 'workerxa']],
    ['#', ['a', 'a.b'], []],
    ['a.#.c', ['a.b.c', 'a..c', 'a.b.c.c'], ['a.c', 'a.b.c.d']],
    ['#.#', ['a.b', '.'], ['ab']],
    ['aba#ba', ['ababa', 'abaxba'], ['aba', 'abaa']],
    ['plain', ['plain'], ['plainer', '']],
  ])('of key "%s" are heard as the server does', (routingKey, heard, missed) => {
    const bound = channels().channels('x', routingKey)
    const hearing = (key: string): boolean => hears(bound, channels().channel('x', key))
    expect([heard.filter(hearing), missed.filter(hearing)]).toEqual([heard, []])
  })
})

describe('settings', () => {
  test.each([
    [{}, '/{db}.', true],
    [{ fanout_prefix: true, fanout_patterns: true }, '/{db}.', true],
    [{ fanout_prefix: false, fanout_patterns: false }, '', false],
    [{ fanout_prefix: 'mine.{db}.' }, 'mine.{db}.', true],
    [{ fanoutPatterns: false }, '/{db}.', false],
  ])('%j', (options, prefix, patterns) => {
    expect(readFanoutSettings('redis://', [{}, options])).toEqual({ prefix, patterns })
  })

  test('the query of the URL says it as text', () => {
    expect(readFanoutSettings('redis://', [{ fanout_prefix: 'false', fanout_patterns: 'false' }])).toEqual({
      prefix: '',
      patterns: false,
    })
  })

  test('what is neither is refused by name', () => {
    expect(() => readFanoutSettings('redis://', [{ fanout_prefix: 3 }])).toThrow('fanout_prefix')
  })
})
