import { describe, expect, test } from 'vitest'
import { parseConfigOverrides } from './config-overrides.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'

const parse = (...argv: string[]) => parseConfigOverrides(argv, { section: 'worker' })

describe('settings on the command line', () => {
  test.each<[string, Record<string, unknown>]>([
    ['worker.prefetch_multiplier=1', { workerPrefetchMultiplier: 1 }],
    ['worker_prefetch_multiplier=1', { workerPrefetchMultiplier: 1 }],
    ['workerPrefetchMultiplier=1', { workerPrefetchMultiplier: 1 }],
    ['.concurrency=4', { workerConcurrency: 4 }],
    ['_concurrency=4', { workerConcurrency: 4 }],
    ['task.acks_late=yes', { taskAcksLate: true }],
    ['task.acks_late=False', { taskAcksLate: false }],
    ['task.time_limit=1.5', { taskTimeLimit: 1.5 }],
    ['task.default_queue=7', { taskDefaultQueue: '7' }],
    ['task.default_rate_limit=10/m', { taskDefaultRateLimit: '10/m' }],
    ['task.protocol=1', { taskProtocol: 1 }],
    ['task.default_delivery_mode=transient', { taskDefaultDeliveryMode: 'transient' }],
    ['broker.url=redis://:a=b@host/0', { brokerUrl: 'redis://:a=b@host/0' }],
    ['broker.transport_options={"db": 1}', { brokerTransportOptions: { db: 1 } }],
    ['imports=["a", "b"]', { imports: ['a', 'b'] }],
    ['imports=(tuple)["a"]', { imports: ['a'] }],
    ['task.routes={"a": "q"}', { taskRoutes: { a: 'q' } }],
    ['task.default_queue=(str)(int)1', { taskDefaultQueue: '(int)1' }],
    ['task.default_priority=(int)3', { taskDefaultPriority: 3 }],
    ['broker.use_ssl=true', { brokerUseSsl: true }],
  ])('%s', (argument, settings) => {
    expect(parse(argument)).toEqual(settings)
  })

  test('the last of a setting counts, and none are none', () => {
    expect(parse('.concurrency=1', '.concurrency=2')).toEqual({ workerConcurrency: 2 })
    expect(parse()).toEqual({})
  })

  test.each([
    [
      'nonsense',
      'the setting "nonsense" on the command line has no value: write NAME=VALUE, section.name=VALUE, or .name=VALUE',
    ],
    ['=1', 'has no value: write NAME=VALUE'],
    ['.concurency=1', 'did you mean workerConcurrency?'],
    ['.concurrency=many', 'the setting ".concurrency" on the command line cannot be read as count'],
    ['task.acks_late=maybe', 'cannot be read as boolean'],
    ['imports=a,b', 'cannot be read as list'],
    ['.concurrency=(int)', 'cannot be read as int'],
    ['.concurrency=(complex)1', 'names no type; known are int, float, bool, str'],
  ])('%s is refused', (argument, message) => {
    expect(() => parse(argument)).toThrow(ImproperlyConfiguredError)
    expect(() => parse(argument)).toThrow(message)
  })

  test('no value is told, since it may be secret', () => {
    expect(() => parse('redis.password=(int)hunter2')).toThrow(/^((?!hunter2).)*$/)
  })
})
