import { setImmediate } from 'node:timers/promises'
import { Exchange, Queue } from '@celery/messaging'
import { describe, expect, onTestFinished, test } from 'vitest'
import { testApp } from './test-app.ts'

describe('SIG-002, CALL-033 beforeTaskPublish', () => {
  test('tells what is about to be sent', async () => {
    const { app, take } = await testApp()
    const events: unknown[] = []
    app.signals.beforeTaskPublish.connect(
      ({ sender, body, exchange, routingKey, declare, headers, properties, retryPolicy }) => {
        events.push([
          sender,
          body[0 as never],
          exchange,
          routingKey,
          declare,
          headers['id'],
          properties['priority'],
          retryPolicy,
        ])
      },
    )
    const { id } = await app.sendTask('t', [1, 2], { queue: 'q', priority: 3 })
    const policy = { maxRetries: 3, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 }
    expect(events).toEqual([['t', [1, 2], '', 'q', [], id, 3, policy]])
    expect((await take('q')).body.args).toEqual([1, 2])
  })

  test('may change headers, properties and where it goes, also after a while', async () => {
    const { app, take } = await testApp()
    const exchange = new Exchange('x', { type: 'topic' })
    app.signals.beforeTaskPublish.connect(async (event) => {
      await Promise.resolve()
      event.headers['trace'] = 'abc'
      event.properties['priority'] = 5
      event.exchange = 'x'
      event.routingKey = 'some.key'
      event.declare.push(new Queue('elsewhere', { exchange, routingKey: 'some.*' }))
    })
    await app.sendTask('t')
    const { headers, properties } = await take('elsewhere')
    expect([headers['trace'], properties['priority']]).toEqual(['abc', 5])
  })

  test('may not make of it what no worker would take', async () => {
    const { app, waiting } = await testApp()
    const leave = app.signals.beforeTaskPublish.connect(({ headers }) => {
      headers['id'] = 5
    })
    await expect(app.sendTask('t')).rejects.toMatchObject({ code: 'ERR_CELERY_TASK_OPTION', option: 'headers.id' })
    leave()
    app.signals.beforeTaskPublish.connect(({ properties }) => {
      properties['reply_to'] = 5
    })
    await expect(app.sendTask('t')).rejects.toMatchObject({ code: 'ERR_CELERY_TASK_OPTION', option: 'properties' })
    expect(await waiting()).toBe(0)
  })

  test('hears of one task only, where it says so, and its errors keep nothing from being sent', async () => {
    const { app, waiting } = await testApp()
    const heard: string[] = []
    app.signals.beforeTaskPublish.connect(({ sender }) => void heard.push(sender), { sender: 'a' })
    app.signals.beforeTaskPublish.connect(() => {
      throw new Error('broken')
    })
    app.taskLog.write = () => {}
    await app.sendTask('a')
    await app.sendTask('b')
    expect([heard, await waiting()]).toEqual([['a'], 2])
  })

  test('hears of what a worker sends after a task', async () => {
    const { app, runNext, take } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const boom = app.task('boom', (): never => {
      throw new Error('no')
    })
    await add.s(1, 2).pipe(add.s(3)).delay()
    await boom.applyAsync([], { linkError: app.signature('alarm') })
    app.signals.beforeTaskPublish.connect(async ({ headers }) => {
      await Promise.resolve()
      headers['trace'] = 'abc'
    })
    expect((await runNext()).state).toBe('SUCCESS')
    expect((await runNext()).state).toBe('FAILURE')
    expect([(await take()).headers['trace'], (await take()).headers['trace']]).toEqual(['abc', 'abc'])
  })

  test('leaves no follow-up behind whose error nobody takes, where the next one cannot be sent either', async () => {
    const unhandled: unknown[] = []
    const listen = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', listen)
    onTestFinished(() => void process.off('unhandledRejection', listen))
    const taskRoutes = (name: string): undefined => {
      if (name === 'second') throw new Error('there is no way')
    }
    const { app, runNext } = await testApp({ settings: { taskRoutes } })
    const add = app.task('add', (x: number, y: number) => x + y)
    await add.applyAsync([1, 2], { link: [app.signature('first'), app.signature('second')] })
    app.signals.beforeTaskPublish.connect(async ({ headers }) => {
      await Promise.resolve()
      headers['id'] = 5
    })
    expect((await runNext()).state).toBe('FAILURE')
    await setImmediate()
    expect(unhandled).toEqual([])
  })

  test('may say that nothing is tried again', async () => {
    const { app } = await testApp()
    const policies: unknown[] = []
    app.signals.beforeTaskPublish.connect((event) => {
      policies.push(event.retryPolicy)
      event.retryPolicy = null
    })
    await app.sendTask('t', [], { retry: false })
    await app.sendTask('t', [], { retryPolicy: { maxRetries: 1 } })
    expect(policies).toEqual([null, expect.objectContaining({ maxRetries: 1, intervalStep: 0.2 })])
  })
})

describe('SIG-003 afterTaskPublish', () => {
  test('tells what the broker has, and not what it has not', async () => {
    const { app } = await testApp()
    const events: unknown[] = []
    app.signals.afterTaskPublish.connect(({ sender, exchange, routingKey, headers, body }) => {
      events.push([sender, exchange, routingKey, headers['id'], body])
    })
    const { id } = await app.sendTask('t', [1], { queue: 'q' })
    await expect(app.sendTask('t', [], { exchange: 'no-such', routingKey: 'k' })).rejects.toThrow()
    expect(events).toEqual([['t', '', 'q', id, [[1], {}, expect.objectContaining({ chain: null })]]])
  })
})
