import { AssertionError } from 'node:assert'
import { describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../src/index.ts'

function shop(celery: TestApp) {
  const { app } = celery
  return {
    charge: app.task('shop.charge', (order: { id: number }, cents: number) => `${order.id}: ${cents}`, {
      params: ['order', 'cents'],
    }),
    remind: app.task('shop.remind', (_when: Date) => {}),
    hello: app.task('shop.hello', (..._names: string[]) => {}),
  }
}

function errorOf(body: () => unknown): AssertionError {
  try {
    body()
  } catch (error) {
    if (error instanceof AssertionError) return error
  }
  throw new Error('it did not fail')
}

describe('expectSent', () => {
  test('finds a call by any of what was sent', async () => {
    await using celery = createTestApp()
    const { charge } = shop(celery)
    await charge.applyAsync([{ id: 1 }], {
      kwargs: { cents: 500 },
      queue: 'slow',
      countdown: 600,
      expires: 3_600,
      priority: 3,
      taskId: 'first',
      timeLimit: 10,
      headers: { tenant: 'acme', trace: 'abc' },
    })
    const sent = celery.expectSent(charge, {
      id: 'first',
      args: [{ id: 1 }] as never,
      kwargs: { cents: 500 },
      queue: 'slow',
      countdown: 600,
      eta: new Date(celery.clock.now() + 600_000),
      expires: 3_600,
      priority: 3,
      timeLimit: 10,
      retries: 0,
      headers: { tenant: 'acme' },
    })
    expect(sent).toMatchObject({ task: 'shop.charge', rootId: 'first', parentId: undefined, softTimeLimit: undefined })
    celery.expectSent('shop.charge', { expires: new Date(celery.clock.now() + 3_600_000) })
    expect(celery.allSent(charge)).toEqual([sent])
  })

  test('shows what was sent instead, and the difference to the closest call', async () => {
    await using celery = createTestApp()
    const { charge, hello } = shop(celery)
    await hello.delay('Ada')
    await charge.applyAsync([{ id: 1 }, 500], { queue: 'slow' })
    await charge.applyAsync([{ id: 1 }, 600], { countdown: 5 })
    const error = errorOf(() => celery.expectSent(charge, { args: [{ id: 1 }, 500], countdown: 5 }))
    expect(error.message).toBe(
      `shop.charge with { args: [ { id: 1 }, 500 ], countdown: 5 } was not sent. The closest one differs in countdown. Sent of it were:
  1. shop.charge({ id: 1 }, 500) to "slow"
  2. shop.charge({ id: 1 }, 600) to "celery" in 5 s`,
    )
    expect(error.actual).toEqual({ task: 'shop.charge', args: [{ id: 1 }, 500], countdown: 0 })
    expect(error.expected).toEqual({ task: 'shop.charge', args: [{ id: 1 }, 500], countdown: 5 })
    expect(error.code).toBe('ERR_ASSERTION')
    expect(error.stack).not.toContain('sent-log.ts')
  })

  test('lists all calls where none of that task was sent, or says that there are none', async () => {
    await using celery = createTestApp()
    const { charge, hello } = shop(celery)
    expect(errorOf(() => celery.expectSent(charge)).message).toBe('shop.charge was not sent. Nothing was sent.')
    for (let n = 0; n < 22; n++) await hello.delay(`${n}`)
    const { message } = errorOf(() => celery.expectSent(charge))
    expect(message).toContain('shop.charge was not sent. Sent were:\n  1. shop.hello(\'0\') to "celery"\n')
    expect(message).toMatch(/ {2}20\. .*\n {2}and 2 more$/)
  })

  test('compares values as they are after their way over the wire', async () => {
    await using celery = createTestApp()
    const { remind } = shop(celery)
    await remind.delay(new Date(1_000))
    expect(celery.sent[0]?.args[0]).toStrictEqual(new Date(1_000))
    celery.expectSent(remind, { args: [new Date(1_000)] })
    celery.expectNotSent(remind, { args: [new Date(1_001)] })
  })

  test('takes the matchers of test runners in the place of values', async () => {
    await using celery = createTestApp()
    const { charge } = shop(celery)
    await charge.delay({ id: 1 }, 500)
    celery.expectSent(charge, { args: [expect.objectContaining({ id: 1 }), expect.any(Number)] })
    celery.expectSent(charge, { id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    celery.expectNotSent(charge, { args: [expect.any(String), 500] })
  })

  test('is exact about arguments: number of them, properties, types', async () => {
    await using celery = createTestApp()
    const { charge, hello } = shop(celery)
    await charge.delay({ id: 1 }, 500)
    await hello.delay('a', 'b')
    celery.expectNotSent(hello, { args: ['a'] })
    celery.expectNotSent(hello, { args: ['a', 'b', 'c'] })
    celery.expectNotSent(charge, { args: [{} as { id: number }, 500] })
    celery.expectNotSent(charge, { args: [{ id: 1, more: 2 } as { id: number }, 500] })
    celery.expectNotSent('shop.charge', { args: [{ id: 1 }, '500'] })
    celery.expectSent('shop.charge', { args: [{ id: 1, more: undefined }, 500] })
  })

  test.each([1, 2] as const)('reads messages of protocol %i, compressed and in other formats', async (protocol) => {
    await using celery = createTestApp({ settings: { taskProtocol: protocol } })
    const { charge } = shop(celery)
    await charge.applyAsync([{ id: 1 }, 500], { compression: 'zlib' })
    await charge.applyAsync([{ id: 2 }, 500], { serializer: 'yaml' })
    celery.expectSent(charge, { args: [{ id: 1 }, 500] })
    celery.expectSent(charge, { args: [{ id: 2 }, 500] })
  })
})

test('what a call carries along can be expected: links, errbacks, the rest of a chain', async () => {
  await using celery = createTestApp()
  const { charge, hello } = shop(celery)
  const link = hello.si('linked')
  await charge.applyAsync([{ id: 1 }, 500], { link, linkError: [hello.s(), hello.si('two')] })
  celery.expectSent(charge, { link: [hello.si('linked')], linkError: [hello.s(), hello.si('two')], chain: [] })
  celery.expectNotSent(charge, { link: [hello.s('linked')] })
  celery.expectNotSent(charge, { link: [] })
  celery.expectNotSent(charge, { linkError: [hello.s()] })
  const error = errorOf(() => celery.expectSent(charge, { link: [hello.si('other')] }))
  expect(error.expected).toEqual({
    task: 'shop.charge',
    link: [{ task: 'shop.hello', args: ['other'], kwargs: {}, immutable: true }],
  })
  expect(error.actual).toMatchObject({ link: [{ args: ['linked'] }] })
  await hello.s('a').pipe(hello.si('b')).pipe(hello.si('c')).delay()
  celery.expectSent(hello, { args: ['a'], chain: [hello.si('b'), hello.si('c')] })
  celery.expectNotSent(hello, { args: ['b'] })
})

describe('expectNotSent', () => {
  test('shows the calls that were not to be', async () => {
    await using celery = createTestApp()
    const { charge, hello } = shop(celery)
    celery.expectNotSent()
    await hello.delay('Ada')
    celery.expectNotSent(charge)
    celery.expectNotSent(hello, { args: ['Bob'] })
    expect(errorOf(() => celery.expectNotSent(hello, { queue: 'celery' })).message).toBe(
      `shop.hello with { queue: 'celery' } was not to be sent, but this was:\n  1. shop.hello('Ada') to "celery"`,
    )
    expect(errorOf(() => celery.expectNotSent()).message).toBe(
      `nothing was to be sent, but this was:\n  1. shop.hello('Ada') to "celery"`,
    )
  })
})

describe('untilSent', () => {
  test('TEST-011 resolves when the call is sent', async () => {
    await using celery = createTestApp()
    const { hello } = shop(celery)
    const sent = celery.untilSent(hello, { args: ['Bob'] }, { timeoutMs: 20_000 })
    await hello.delay('Ada')
    await hello.delay('Bob')
    expect((await sent).args).toEqual(['Bob'])
  })

  test('says at its deadline what was sent instead', async () => {
    await using celery = createTestApp()
    const { charge } = shop(celery)
    await expect(celery.untilSent(charge, {}, { timeoutMs: 1 })).rejects.toThrow(
      'shop.charge was not sent within 1 ms. Nothing was sent.',
    )
    await expect(celery.untilSent(charge, {}, { timeoutMs: 1 })).rejects.toMatchObject({
      stack: expect.stringContaining('sent.test.ts'),
    })
  })
})

test('TEST-010 messageOf makes the message of a call and sends it to nobody', async () => {
  await using celery = createTestApp()
  const { charge } = shop(celery)
  const { exchange, message, routingKey } = await celery.messageOf(charge, [{ id: 1 }, 500], {
    taskId: 'a',
    queue: 'q',
  })
  expect([exchange, routingKey]).toEqual(['', 'q'])
  expect(message.headers).toMatchObject({ task: 'shop.charge', id: 'a', retries: 0 })
  expect(JSON.parse(message.body as string)[0]).toEqual([{ id: 1 }, 500])
  celery.expectNotSent()
  await celery.expectQueuesEmpty()
})
