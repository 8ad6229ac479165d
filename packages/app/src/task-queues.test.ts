import { Broadcast, Exchange, Queue } from '@celery/messaging'
import { describe, expect, test } from 'vitest'
import { QueueNotFoundError } from './call-errors.ts'
import { defaultSettings, type Settings } from './settings.ts'
import { TaskQueues } from './task-queues.ts'

function queuesOf(settings: Partial<Settings> = {}): TaskQueues {
  return new TaskQueues({ ...defaultSettings, ...settings })
}

/** What is asked of a broker, without what goes without saying. */
function declared(queue: Queue) {
  const { exchange, name, routingKey } = queue
  return { name, exchange: exchange?.name, type: exchange?.type, routingKey, arguments: queue.declaration.arguments }
}

describe('the default queue', () => {
  test('is the only one, with an exchange and a key of its name', () => {
    const queues = queuesOf()
    expect(queues.consumed.map(declared)).toEqual([
      { name: 'celery', exchange: 'celery', type: 'direct', routingKey: 'celery', arguments: undefined },
    ])
  })

  test('CONF-124 CONF-125 CONF-126 CONF-127 CONF-128 is as the settings say', () => {
    const queues = queuesOf({
      taskDefaultQueue: 'main',
      taskDefaultQueueType: 'quorum',
      taskDefaultExchange: 'tasks',
      taskDefaultExchangeType: 'topic',
      taskDefaultRoutingKey: 'task.#',
    })
    expect(queues.consumed.map(declared)).toEqual([
      {
        name: 'main',
        exchange: 'tasks',
        type: 'topic',
        routingKey: 'task.#',
        arguments: { 'x-queue-type': 'quorum' },
      },
    ])
    expect(() => queuesOf({ taskDefaultExchangeType: 'tpoic' }).consumed).toThrow(
      'taskDefaultExchangeType: there is no exchange type "tpoic"; use direct, topic, fanout, headers',
    )
  })
})

describe('CALL-038 CONF-114 taskQueues', () => {
  test('is a list of queues, names and objects', () => {
    const queues = queuesOf({
      taskQueues: [
        new Queue('default', { routingKey: 'task.#' }),
        'mail',
        { name: 'feeds', exchange: 'media', exchangeType: 'topic', routingKey: 'feed.*', maxPriority: 5 },
      ],
    })
    expect(queues.names).toEqual(['default', 'mail', 'feeds'])
    expect(queues.consumed.map(declared)).toEqual([
      { name: 'default', exchange: 'celery', type: 'direct', routingKey: 'task.#', arguments: undefined },
      { name: 'mail', exchange: 'mail', type: 'direct', routingKey: 'mail', arguments: undefined },
      { name: 'feeds', exchange: 'media', type: 'topic', routingKey: 'feed.*', arguments: { 'x-max-priority': 5 } },
    ])
  })

  test('is an object of names, in snake_case too; a binding key is a routing key, and the name where there is none', () => {
    const taskQueues = {
      cpubound: { exchange: 'cpubound', exchange_type: 'topic', binding_key: 'cpu.#', queue_arguments: { 'x-a': 1 } },
      plain: {},
    }
    expect(queuesOf({ taskQueues }).consumed.map(declared)).toEqual([
      { name: 'cpubound', exchange: 'cpubound', type: 'topic', routingKey: 'cpu.#', arguments: { 'x-a': 1 } },
      { name: 'plain', exchange: 'celery', type: 'direct', routingKey: 'plain', arguments: undefined },
    ])
  })

  test('has queues with several bindings, and queues that others declare', () => {
    const [both, theirs] = queuesOf({
      taskQueues: [
        { name: 'both', exchange: 'a', bindings: [{ exchange: { name: 'b', type: 'topic' }, routingKey: 'x.*' }] },
        { name: 'theirs', noDeclare: true, durable: false, autoDelete: true },
      ],
    }).consumed
    expect(both?.bindings.map(({ exchange, routingKey }) => [exchange.name, routingKey])).toEqual([
      ['a', 'both'],
      ['b', 'x.*'],
    ])
    expect(theirs?.toJSON()).toMatchObject({ noDeclare: true, durable: false, autoDelete: true })
  })

  test('CONF-117 gives priorities to queues that say nothing of it', () => {
    const taskQueues = ['a', { name: 'b', maxPriority: 3 }]
    const levels = queuesOf({ taskQueues, taskQueueMaxPriority: 10 }).consumed.map((queue) => declared(queue).arguments)
    expect(levels).toEqual([{ 'x-max-priority': 10 }, { 'x-max-priority': 3 }])
  })

  test.each<[string, unknown, string]>([
    ['no name', [{ exchange: 'x' }], 'taskQueues: each queue needs a name'],
    [
      'an option that there is not',
      { a: { exchnage: 'x' } },
      'a queue has no option "exchnage"; did you mean exchange?',
    ],
    ['something else', [5], 'each queue must be a Queue, a name or an object'],
    ['a type that there is not', { a: { exchange: 'x', exchangeType: 'dirct' } }, 'there is no exchange type "dirct"'],
  ])('with %s is an error', (_what, taskQueues, problem) => {
    const queues = queuesOf({ taskQueues: taskQueues as never })
    // Whoever looks again is told again.
    for (let looks = 0; looks < 2; looks++) expect(() => queues.names).toThrow(problem)
  })

  test('CALL-040 has broadcasts, which are found by their name', () => {
    const queues = queuesOf({ taskQueues: [new Broadcast('news'), new Broadcast('news')] })
    const [first, second] = queues.consumed
    expect(first).toBeInstanceOf(Broadcast)
    expect(first?.exchange?.toJSON()).toMatchObject({ name: 'news', type: 'fanout' })
    expect(first?.name).not.toBe(second?.name)
    expect(queues.get('news')).toBe(second)
  })
})

describe('CALL-039 the map of queues', () => {
  test('makes a queue that is named, once', () => {
    const queues = queuesOf({ taskQueues: ['a'] })
    expect(queues.has('b')).toBe(false)
    expect(declared(queues.get('b'))).toEqual({
      ...{ name: 'b', exchange: 'b', type: 'direct', routingKey: 'b', arguments: undefined },
    })
    expect(queues.get('b')).toBe(queues.get('b'))
    expect(queues.names).toEqual(['a', 'b'])
  })

  test('forgets what was named the longest ago, so that a queue for each user is no leak', () => {
    const queues = queuesOf({ taskQueues: ['a'] })
    queues.select(['a', 'selected'])
    queues.add('added')
    const [busy, selected] = [queues.get('busy'), queues.get('selected')]
    const idle = queues.get('idle')
    for (let user = 0; user < 5_000; user++) {
      queues.get(`user-${user}`)
      // What is used stays the same, and so is declared once.
      expect(queues.get('busy')).toBe(busy)
    }
    expect(queues.names).toHaveLength(3 + 1_000)
    expect(queues.names).toEqual(expect.arrayContaining(['a', 'selected', 'added', 'busy', 'user-4999']))
    expect(queues.get('selected')).toBe(selected)
    expect(queues.consumed.map(({ name }) => name)).toEqual(['a', 'selected'])
    expect(queues.has('idle')).toBe(false)
    // Named again it is the same one to a broker.
    expect(declared(queues.get('idle'))).toEqual(declared(idle))
  })

  test('is not consumed from for a queue that was only named', () => {
    const queues = queuesOf({ taskQueues: ['a', 'b'] })
    const consumed = () => queues.consumed.map(({ name }) => name)
    queues.get('named')
    queues.add('added')
    expect(consumed()).toEqual(['a', 'b', 'added'])
    expect(queues.format()).not.toContain('named')
    queues.deselect(['b'])
    expect(consumed()).toEqual(['a', 'added'])
    queues.add('named')
    expect(queuesOf({}).consumed.map(({ name }) => name)).toEqual(['celery'])
    queues.select(['named'])
    expect(consumed()).toEqual(['named'])
  })

  test('CONF-121 CONF-122 CONF-123 makes it as the settings say, or not', () => {
    const settings = { taskCreateMissingQueueType: 'quorum', taskCreateMissingQueueExchangeType: 'topic' } as const
    expect(declared(queuesOf(settings).get('b'))).toMatchObject({
      ...{ type: 'topic', arguments: { 'x-queue-type': 'quorum' } },
    })
    const strict = queuesOf({ taskQueues: ['images', 'mail'], taskCreateMissingQueues: false })
    expect(() => strict.get('imags')).toThrow(QueueNotFoundError)
    expect(() => strict.get('imags')).toThrow(
      'there is no queue "imags" (taskQueues has images, mail), and taskCreateMissingQueues is off; did you mean "images"?',
    )
    expect(strict.names).toEqual(['images', 'mail'])
  })

  test('APP-036 selects and leaves out what is consumed', () => {
    const queues = queuesOf({ taskQueues: ['a', 'b', 'c'] })
    const consumed = () => queues.consumed.map(({ name }) => name)
    queues.select([])
    expect(consumed()).toEqual(['a', 'b', 'c'])
    queues.deselect(['b'])
    expect(consumed()).toEqual(['a', 'c'])
    queues.select(['b', 'other'])
    expect(consumed()).toEqual(['b', 'other'])
    queues.selectAdd('more')
    queues.add(new Queue('known', { alias: 'k' }))
    expect(consumed()).toEqual(['b', 'other', 'more'])
    queues.deselect(['other', 'nothing'])
    expect(consumed()).toEqual(['b', 'more'])
    queues.select(['k'])
    expect(queues.format()).toBe('known            exchange=celery(direct) key=celery')
    const long = new Queue('a-name-of-20-letters')
    expect(queues.format([long, queues.get('b')])).toBe(
      'a-name-of-20-letters exchange=(direct) key=\nb                    exchange=b(direct) key=b',
    )
  })

  test('is read again when the setting is another one', () => {
    const settings = { ...defaultSettings, taskQueues: ['a'] as readonly string[] }
    const queues = new TaskQueues(settings)
    expect(queues.names).toEqual(['a'])
    settings.taskQueues = ['b']
    expect(queues.names).toEqual(['b'])
  })

  test('keeps a queue that has all it needs as it is', () => {
    const whole = new Queue('q', { exchange: new Exchange('x'), routingKey: 'k' })
    expect(queuesOf({ taskQueues: [whole] }).get('q')).toBe(whole)
  })
})
