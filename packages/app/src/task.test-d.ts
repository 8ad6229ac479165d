/** What the compiler says about tasks. Compiled, never run. */
import { Exchange, Producer, Queue } from '@celery/messaging'
import type { AsyncResult, EagerResult } from '@celery/results'
import { z } from 'zod'
import { CeleryApp } from './celery-app.ts'
import { currentTask } from './current-task.ts'
import { Retry } from './run-requests.ts'
import type { StandardSchema } from './standard-schema.ts'
import { type RateLimit, TaskBase, type TaskOptions } from './task.ts'
import type { TaskContext } from './task-context.ts'

const app = new CeleryApp('types')
const add = app.task('add', (x: number, y: number) => x + y, { params: ['x', 'y'] })
const show = app.task('show', async (n: number) => `n=${n}`)
const greet = app.task('greet', (name: string, greeting = 'hello') => `${greeting} ${name}`)
const sum = app.task('sum', (...numbers: number[]) => numbers.length)
const bound = app.task('bound', (context, name: string) => `${context.request.id} ${name}`, { bind: true })
const boundNamed = app.task('named', (context, x: number) => context.request.retries + x, { bind: true, params: ['x'] })
const remote = app.remote<[x: number, y: number], number>('proj.add')

export async function calls(): Promise<void> {
  const three: AsyncResult<number> = await add.delay(1, 2)
  const number: number = await three.get({ timeout: 1 })
  // @ts-expect-error an argument is missing
  await add.delay(1)
  // @ts-expect-error one argument too many
  await add.delay(1, 2, 3)
  // @ts-expect-error not a number
  await add.delay(1, '2')
  // @ts-expect-error the result is a number
  const text: string = await three.get()
  // @ts-expect-error a result is no promise: nobody waits for a task by accident
  await three.then

  // An async function's result is what it resolves to.
  const shown: AsyncResult<string> = await show.delay(number)
  // @ts-expect-error not a promise of a promise
  const nested: AsyncResult<Promise<string>> = shown

  await greet.delay('you')
  await greet.delay('you', 'bye')
  // @ts-expect-error the greeting is text
  await greet.delay('you', 1)
  await sum.delay()
  await sum.delay(1, 2, 3)
  // @ts-expect-error numbers only
  await sum.delay(1, 'two')
  void [text, nested]
}

export async function keywords(): Promise<void> {
  await add.applyAsync([], { kwargs: { x: 1, y: 2 } })
  await add.applyAsync([1], { kwargs: { y: 2 }, countdown: 10 })
  // @ts-expect-error there is no z
  await add.applyAsync([1], { kwargs: { z: 2 } })
  // @ts-expect-error y is a number
  await add.applyAsync([1], { kwargs: { y: '2' } })
  // @ts-expect-error arguments are missing and none are named
  await add.applyAsync([1], { countdown: 10 })
  // @ts-expect-error the task names no parameters
  await show.applyAsync([], { kwargs: { n: 1 } })
  // @ts-expect-error seconds are a number
  await add.applyAsync([1, 2], { countdown: '10' })
  await boundNamed.applyAsync([], { kwargs: { x: 1 } })
  // @ts-expect-error y is missing
  await add.applyAsync([], { kwargs: { x: 1 } })
  // @ts-expect-error the same where it is run here
  await add.apply([], { kwargs: { y: 1 } })
}

export async function context(): Promise<void> {
  // The context is not an argument of the call.
  await bound.delay('you')
  // @ts-expect-error the name is missing
  await bound.delay()
  // @ts-expect-error the context is given by who runs it
  await bound.delay(currentTask(), 'you')
  // @ts-expect-error there is a task only below a running one
  currentTask().request
}

export async function elsewhere(): Promise<void> {
  const three: AsyncResult<number> = await remote.delay(1, 2)
  // @ts-expect-error an argument is missing
  await remote.delay(1)
  // @ts-expect-error it does not live here
  remote(1, 2)
  void three
}

export async function pipelines(): Promise<void> {
  const text: AsyncResult<string> = await add.s(2, 2).pipe(add.s(4)).pipe(show.s()).delay()
  // @ts-expect-error show gives text, add wants a number
  add.s(2, 2).pipe(show.s()).pipe(add.s(4))
  // @ts-expect-error a complete signature has no room for the result
  add.s(2, 2).pipe(add.s(4, 4))
  add.s(2, 2).pipe(add.si(4, 4))
  // @ts-expect-error an argument is missing
  add.si(4)
  // @ts-expect-error the first step still misses an argument
  await add.s(2).pipe(show.s()).delay()
  await add.s(2).pipe(show.s()).delay(1)
  await remote.s(1, 2).pipe(show.s()).delay()
  void text
}

export async function direct(): Promise<void> {
  const three: number = add(1, 2)
  const shown: Promise<string> = show(3)
  // @ts-expect-error not a number
  add(1, 'two')
  // @ts-expect-error it is waited for
  const text: string = show(3)
  // @ts-expect-error there is nothing to wait for
  add(1, 2).then
  const named: string = bound('you')
  // @ts-expect-error the context is given by who runs it
  bound(currentTask(), 'you')
  const first: number = app.task('first', (n = 2) => n * 2)(3)
  const same: unknown = app.task('same', (value: unknown) => value)(3)
  void [three, shown, text, named, first, same]
}

export function withoutBind(): void {
  // @ts-expect-error there is no context
  app.task('bad', (context, to: string) => context.logger.info(to))
  // @ts-expect-error the same of an async function, with other options
  app.task('bad', async (context, to: string) => context.logger.info(to), { maxRetries: 3 })
  // @ts-expect-error the same of a part of it
  app.task('bad', ({ request }) => request.id)
  // @ts-expect-error nobody said what it is
  app.task('bad', (n) => n * 2)
}

// @ts-expect-error params name the parameters of the function, as text
app.task('bad', (x: number) => x, { params: [1] })

const optional = app.task('optional', (x: number, y?: string) => `${x}${y}`, { params: ['x', 'y?'] })
const nothing = app.task('nothing', () => {})
const either = app.task('either', async (x: number) => (x > 0 ? x : null))

// @ts-expect-error the function has no second parameter
app.task('bad', (x: number) => x, { params: ['x', 'y'] })
// @ts-expect-error every parameter has a name, or none
app.task('bad', (x: number, y: number) => x + y, { params: ['x'] })
// @ts-expect-error what may be left out says so, since it cannot be seen at run time: 'y?'
app.task('bad', (x: number, y?: number) => [x, y], { params: ['x', 'y'] })
// @ts-expect-error the same of a default
app.task('bad', (x: number, y = 2) => x + y, { params: ['x', 'y'] })
app.task('good', (x: number, y = 2) => x + y, { params: ['x', 'y?'] })
app.task('good', (context, x: number, y?: number) => [context, x, y], { bind: true, params: ['x', 'y?'] })
// @ts-expect-error the context is none of the parameters
app.task('bad', (context, x: number) => [context, x], { bind: true, params: ['context', 'x'] })
app.task('good', (x: number, ...rest: number[]) => [x, rest], { params: ['x', 'rest'] })
app.task('good', () => 0, { params: [] })
declare const made: TaskOptions
void app.task('good', (x: number) => x, made).applyAsync([], { kwargs: { x: 1 } })

export async function inferred(): Promise<void> {
  await optional.delay(1)
  await optional.delay(1, 'a')
  await optional.applyAsync([], { kwargs: { x: 1 } })
  await optional.applyAsync([1], { kwargs: { y: 'a' } })
  // @ts-expect-error y is text
  await optional.applyAsync([1], { kwargs: { y: 2 } })
  // @ts-expect-error the first argument is a number
  await optional.applyAsync(['a'], { kwargs: { y: 'a' } })
  await nothing.delay()
  // @ts-expect-error it takes none
  await nothing.delay(undefined)
  const value: number | null = await (await either.delay(1)).get()
  // @ts-expect-error it may be null
  const number: number = await (await either.delay(1)).get()
  void [value, number]
}

export async function found(): Promise<void> {
  const task = app.tasks.lookUp('add')
  // Whatever its arguments are, it may be one of those that were declared.
  void [task === add, task === boundNamed]
  const sent: AsyncResult<unknown> = await task.delay(1, 'two')
  await task.applyAsync([1], { kwargs: { y: 2 } })
  return void sent
}

export async function options(): Promise<void> {
  await add.applyAsync([1, 2], { eta: new Date(), expires: 10, priority: 3, queue: 'q', headers: { trace: 'x' } })
  // @ts-expect-error a moment is a Date or text
  await add.applyAsync([1, 2], { eta: 10 })
  // @ts-expect-error a queue is named
  await add.applyAsync([1, 2], { queue: 7 })
  // @ts-expect-error 1 or 2
  await add.applyAsync([1, 2], { deliveryMode: 3 })
  // A plug-in's options come along.
  app.task('extra', () => 0, { acksLate: true, rateLimit: '10/m' })
  // @ts-expect-error yes or no
  app.task('extra', () => 0, { acksLate: 'yes' })
  // @ts-expect-error seconds are a number
  app.task('extra', () => 0, { timeLimit: '10' })
  app.task('extra', () => 0, { rateLimit: '0.5/h' })
  const limited = { rateLimit: '10/m' }
  app.task('extra', (n: number) => n, limited)
  // What editors suggest, which `string` would swallow.
  const suggested: readonly Extract<RateLimit, `10/${string}`>[] = ['10/s', '10/m', '10/h']
  void suggested
  // @ts-expect-error a number or text
  app.task('extra', () => 0, { rateLimit: true })
  // @ts-expect-error a task has a function
  app.task('extra', 7)
  // @ts-expect-error without `bind` the context does not come
  await app.task('unbound', (context: TaskContext, x: number) => context.request.retries + x).delay(1)
}

class Session extends TaskBase {
  override readonly maxRetries = 5
  readonly user = 'someone'
  override onFailure(error: unknown, context: TaskContext): void {
    context.logger.error(String(error))
  }
}

declare class Connected extends TaskBase {
  constructor(url: string)
}

export function bases(): void {
  app.task('good', (context: TaskContext<Session>, n: number) => context.base.user + n, { bind: true, base: Session })
  app.task('good', (context: TaskContext<Session>) => context.base.user, { bind: true, base: new Session() })
  app.task('good', () => 0, { base: { afterReturn: (state) => void state.length } })
  // @ts-expect-error the base is missing
  app.task('bad', (context: TaskContext<Session>) => context.base.user, { bind: true })
  // @ts-expect-error it is another base
  app.task('bad', (context: TaskContext<Session>) => context.base.user, { bind: true, base: { maxRetries: 1 } })
  // @ts-expect-error nobody said of which class the base is
  app.task('bad', (context) => context.base.user, { bind: true, base: Session })
  // @ts-expect-error a base has no such number of retries
  app.task('bad', () => 0, { base: { maxRetries: 'five' } })
  // @ts-expect-error a base is made without arguments
  app.task('bad', () => 0, { base: Connected })
}

export function retries(): void {
  app.task('good', () => 0, { autoretryFor: [TypeError, Retry], dontAutoretryFor: [(error) => error === 7] })
  app.task('good', () => 0, { retryBackoff: 2, retryBackoffMax: 60, retryJitter: false, maxRetries: null })
  app.task('good', () => 0, { retryKwargs: { countdown: 3, maxRetries: 9 }, throws: [RangeError], trail: false })
  // @ts-expect-error a list
  app.task('bad', () => 0, { autoretryFor: TypeError })
  // @ts-expect-error classes of errors, and not their names
  app.task('bad', () => 0, { autoretryFor: ['TypeError'] })
  // @ts-expect-error not an error class
  app.task('bad', () => 0, { throws: [Date] })
  // @ts-expect-error yes, no or a factor
  app.task('bad', () => 0, { retryBackoff: 'yes' })
  // @ts-expect-error seconds are a number
  app.task('bad', () => 0, { defaultRetryDelay: '3' })
  // @ts-expect-error there is no such option of a retry
  app.task('bad', () => 0, { retryKwargs: { countDown: 3 } })

  app.task(
    'good',
    (context, x: number): number => {
      if (x > 0) throw context.retry({ countdown: 3, exc: new Error('x'), args: [x - 1], queue: 'slow' })
      const later: Retry = context.retry({ eta: new Date(), throw: false })
      void later
      // @ts-expect-error seconds are a number
      context.retry({ countdown: '3' })
      // @ts-expect-error a moment is a Date or text
      context.retry({ eta: 3 })
      // @ts-expect-error there is no such option
      context.retry({ retries: 3 })
      // @ts-expect-error it is thrown, and so gives nothing
      void context.retry({ countdown: 1 }).exc
      return context.retry()
    },
    { bind: true },
  )
}

export function handlers(): void {
  app.task('good', () => 0, {
    beforeStart: async (context) => void (await context.updateState('SETUP', { step: 1 })),
    onRetry: (retry) => void retry.exc,
    onFailure: (error, context) => context.logger.warning(`${context.request.retries}: ${error}`),
    afterReturn: (state) => void (state === 'SUCCESS'),
  })
  // @ts-expect-error the context comes first
  app.task('bad', () => 0, { beforeStart: (id: string) => void id })
  // @ts-expect-error it is not called after a retry
  app.task('bad', () => 0, { afterReturn: (state) => void (state === 'RETRY') })
  // @ts-expect-error a function
  app.task('bad', () => 0, { onSuccess: 'log' })
  // @ts-expect-error a state is text
  app.task('bad', (context) => context.updateState(7), { bind: true })
  // @ts-expect-error a line is text
  app.task('bad', (context) => context.logger.info(7), { bind: true })
}

export function annotations(): void {
  app.conf.taskAnnotations = { '*': { maxRetries: 1, onFailure: (error) => void error }, add: { rateLimit: '10/s' } }
  app.conf.taskAnnotations = [(name) => (name === 'add' ? { '@run': (run) => run } : undefined)]
  // @ts-expect-error a number
  app.conf.taskAnnotations = { add: { maxRetries: 'one' } }
  app.conf.taskAnnotations = { add: { '@onFailure': (own) => (error, context) => own(String(error), context) } }
  // @ts-expect-error a function around a function
  app.conf.taskAnnotations = { add: { '@run': 7 } }
  // @ts-expect-error the same
  app.conf.taskAnnotations = { add: { '@onSuccess': () => 'none' } }
}

export function signals(): void {
  const leave: () => void = app.signals.taskFailure.connect(({ error, request, sender }) => {
    const id: string = request.id
    void [error, id, sender.length]
    // @ts-expect-error a failure has no result
    void request.result
  })
  app.signals.taskPrerun.connect(async ({ request }) => void request.args, { sender: 'add', uid: 'once' })
  app.signals.beforeTaskPublish.connect(({ headers }) => {
    headers['trace'] = 'x'
  })
  // @ts-expect-error there is no such signal
  app.signals.taskStarted.connect(() => {})
  app.signals.taskSuccess.connect((event) => {
    // @ts-expect-error what has happened is only read
    event.result = 1
  })
  // @ts-expect-error the name of the sender is text
  app.signals.taskSuccess.connect(() => {}, { sender: add })
  // @ts-expect-error a receiver is a function
  app.signals.taskSuccess.connect('log')
  leave()
}

export async function byName(): Promise<void> {
  const five: AsyncResult<number> = await app.sendTask<number>('proj.add', [2, 3], { kwargs: { z: 1 }, countdown: 1 })
  // @ts-expect-error arguments come as a list
  await app.sendTask('proj.add', 2)
  const known: number = await app.asyncResult<number>('id').get()
  // @ts-expect-error an id is text
  app.asyncResult(7)
  // A remote task without types takes anything and promises nothing.
  await app.remote('proj.any').applyAsync([1, 'two'], { kwargs: { three: 3 } })
  // @ts-expect-error its result is unknown
  const any: number = await (await app.remote('proj.any').delay()).get()
  const typed = app.remote<[x: number], string, { readonly x?: number }>('proj.typed')
  await typed.applyAsync([], { kwargs: { x: 1 } })
  // @ts-expect-error x is a number
  await typed.applyAsync([], { kwargs: { x: 'a' } })
  void [five, known, any]
}

export async function callbacks(): Promise<void> {
  add.s(1, 2).link(show.s()).linkError(greet.s())
  // @ts-expect-error it wants text, the result is a number
  add.s(1, 2).link(greet.s())
  // @ts-expect-error an errback gets the id, which is text
  add.s(1, 2).linkError(show.s())
  await add.s(1, 2).link(nothing.si()).delay()
  const sent: AsyncResult<number> = await add.s(1).applyAsync([2])
  // @ts-expect-error the first argument is missing
  await add.s(1).applyAsync()
  void sent
}

export function settings(): void {
  app.conf.taskAcksLate = true
  // @ts-expect-error yes or no
  app.conf.taskAcksLate = 'yes'
  app.conf.update({ task_default_queue: 'q', workerConcurrency: 4 })
  // @ts-expect-error a number
  app.conf.update({ workerConcurrency: 'four' })
  // @ts-expect-error the same of the other spelling
  app.conf.update({ worker_concurrency: 'four' })
  app.conf.taskRoutes = { 'video.*': 'video', audio: { queue: 'audio', priority: 3 } }
  // @ts-expect-error a priority is a number
  app.conf.taskRoutes = { audio: { priority: 'high' } }
  new CeleryApp('more', { broker: ['amqp://a', 'amqp://b'], settings: { task_ignore_result: true } })
  // @ts-expect-error a URL is text
  new CeleryApp('more', { broker: 5672 })
  // @ts-expect-error there is no such option
  new CeleryApp('more', { brokers: [] })
}

export function running(): void {
  const id: string | undefined = currentTask()?.request.id
  // Headers of Celery's have their types, those of the sender are there too.
  const headers = currentTask()?.request.headers
  const retries: number | undefined = headers?.retries
  const tenant: unknown = headers?.['x-tenant']
  void [retries, typeof tenant === 'string' ? tenant.length : 0]
  const aborted: boolean | undefined = currentTask()?.signal.aborted
  // @ts-expect-error a request is only read
  if (currentTask() !== undefined) currentTask().request.id = 'x'
  void [id, aborted]
}

/** A schema as libraries make them. */
declare const pair: StandardSchema<[text: string, times?: number], [date: Date, times: number]>
declare const rest: StandardSchema<readonly string[], readonly URL[]>

export async function schemas(): Promise<void> {
  // Callers give what goes in, the function gets what comes out.
  const task = app.task('schema', (date, times) => date.getTime() * times, { args: pair })
  const result: AsyncResult<number> = await task.delay('2020-01-01')
  await task.delay('2020-01-01', 2)
  await task.s(2).delay('2020-01-01')
  const number: number = await task('2020-01-01', 2)
  // @ts-expect-error text goes in
  await task.delay(new Date())
  // @ts-expect-error it is missing
  await task.delay()
  // @ts-expect-error one too many
  await task.delay('2020-01-01', 2, 3)
  // @ts-expect-error the function gets a Date
  app.task('bad', (date: string) => date, { args: pair })
  // @ts-expect-error not a list of arguments
  app.task('bad', (text) => text, { args: z.string() })
  // @ts-expect-error no schema
  app.task('bad', () => 0, { args: ['string'] })

  const named = app.task('named', (date: Date, times: number) => [date, times], {
    args: pair,
    params: ['date', 'times?'],
  })
  await named.applyAsync([], { kwargs: { date: '2020-01-01', times: 1 } })
  // @ts-expect-error text goes in
  await named.applyAsync([], { kwargs: { date: new Date() } })
  // @ts-expect-error what may be left out says so
  app.task('bad', (date: Date, times: number) => [date, times], { args: pair, params: ['date', 'times'] })

  const withContext = app.task(
    'bound',
    (context, ...urls) => [context.request.id, urls.map(({ host }) => host)] as const,
    {
      args: rest,
      bind: true,
    },
  )
  const hosts: readonly string[] = (await (await withContext.delay('a', 'b')).get())[1]
  // @ts-expect-error text goes in
  await withContext.delay(new URL('http://a'))

  const zod = app.task('zod', (name, { size }) => name.repeat(size), {
    args: z.tuple([z.string(), z.object({ size: z.coerce.number<string>() })]),
  })
  const text: AsyncResult<string> = await zod.delay('a', { size: '3' })
  // @ts-expect-error what goes in is text
  await zod.delay('a', { size: 3 })
  void [result, number, hosts, text]
}

export async function slips(): Promise<void> {
  // @ts-expect-error the other way to write countdown
  await add.applyAsync([1, 2], { countDown: 3 })
  // @ts-expect-error Python's way
  await add.applyAsync([1, 2], { time_limit: 3 })
  // @ts-expect-error no such option
  await app.sendTask('t', [], { que: 'q' })
  // @ts-expect-error no such option
  add.s(1, 2).set({ countDown: 3 })
  // @ts-expect-error it is called maxRetries
  app.task('bad', () => 0, { maxRetry: 3 })
  // @ts-expect-error Python's way
  app.task('bad', () => 0, { max_retries: 3 })
  // @ts-expect-error the same with a context
  app.task('bad', (context) => context.request.id, { bind: true, maxRetry: 3 })
  // @ts-expect-error the context comes first
  app.task('bad', (text: string) => text, { bind: true })
  // @ts-expect-error nobody knows what the function is given
  app.task('bad', (context: TaskContext) => context.request.id, { bind: Math.random() > 0.5 })
  // @ts-expect-error it is called broker
  new CeleryApp('bad', { brokr: 'memory://' })
  // @ts-expect-error the name is missing
  app.task(() => 0)
}

export async function sending(): Promise<void> {
  const queue = new Queue('q', { exchange: new Exchange('x', { type: 'topic' }) })
  const connection = app.connectionForWrite()
  const producer = new Producer({ connection })
  await add.applyAsync([1, 2], { queue, routingKey: 'k', producer, declare: [queue], retry: true })
  await add.applyAsync([1, 2], { connection, exchange: 'x', exchangeType: 'topic', mandatory: false, timeout: 3 })
  await add.applyAsync([1, 2], { retryPolicy: { maxRetries: null, retryErrors: [TypeError] }, addToParent: false })
  await app.sendTask('t', [], { queue, connection, rootId: 'r', parentId: 'p', groupId: 'g', confirmTimeout: 1 })
  add.s(1, 2).set({ routeName: 'other', expiration: 3, correlationId: 'c', retryPolicy: { intervalMax: 2 } })
  // @ts-expect-error a signature is data, a queue is not
  add.s(1, 2).set({ queue })
  // @ts-expect-error nor is a producer
  add.s(1, 2).set({ producer })
  // @ts-expect-error nor are error classes
  add.s(1, 2).set({ retryPolicy: { retryErrors: [TypeError] } })
  // @ts-expect-error there is no such exchange
  await add.applyAsync([1, 2], { exchangeType: 'any' })
  // @ts-expect-error a queue or its name
  await add.applyAsync([1, 2], { queue: new Exchange('x') })
  // @ts-expect-error seconds are a number
  await add.applyAsync([1, 2], { retryPolicy: { intervalStart: '1' } })
  // @ts-expect-error there is no such part
  await add.applyAsync([1, 2], { retryPolicy: { retries: 1 } })
  // @ts-expect-error a connection of messaging
  await add.applyAsync([1, 2], { connection: 'amqp://' })
  // @ts-expect-error seconds are a number
  await add.applyAsync([1, 2], { timeout: '1' })
}

export async function eagerly(): Promise<void> {
  const three: EagerResult<number> = await add.apply([1, 2])
  const same: EagerResult<number> = await add.apply([1], { kwargs: { y: 2 }, throw: true, taskId: 'mine' })
  const text: EagerResult<string> = await add.s(1).pipe(show.s()).apply([2])
  // @ts-expect-error not a number
  await add.apply(['1', 2])
  // @ts-expect-error arguments come as a list
  await add.apply(1, 2)
  // @ts-expect-error it does not live here
  await remote.apply([1, 2])
  // @ts-expect-error yes or no
  await add.apply([1, 2], { throw: 'yes' })
  // @ts-expect-error it is not sent
  await add.apply([1, 2], { producer: undefined as unknown as Producer })
  // @ts-expect-error an argument is missing
  await add.s(1).apply()
  void [three, same, text]
}

export function routes(): void {
  app.conf.taskRoutes = [
    ['feed.*', 'feeds'],
    [/video/, { queue: 'video', deliveryMode: 1, serializer: 'json' }],
  ]
  app.conf.taskRoutes = [
    { 'a.*': 'a' },
    (name, _args, _kwargs, _options, task) => (task?.options.priority ? name : null),
    './routes.ts:own',
  ]
  app.conf.taskRoutes = new Map<string | RegExp, string>([[/a/, 'q']])
  app.conf.taskRoutes = { routeForTask: (name) => (name === 'a' ? { queue: 'q' } : undefined) }
  // @ts-expect-error a mode is 1 or 2
  app.conf.taskRoutes = { a: { deliveryMode: 3 } }
  // @ts-expect-error a name or options
  app.conf.taskRoutes = { a: 5 }
  // @ts-expect-error at once
  app.conf.taskRoutes = async () => 'q'
  // @ts-expect-error a number is no pattern
  app.conf.taskRoutes = [[5, 'q']]
  // @ts-expect-error a queue or its name
  app.task('bad', () => 0, { queue: 5 })
  // @ts-expect-error text, or nothing
  app.task('bad', () => 0, { shadowName: () => 5 })
  app.task('good', () => 0, { shadowName: ([x], kwargs) => `${x}${kwargs['y']}`, compression: 'zlib', routingKey: 'k' })
}

export function publishing(): void {
  app.signals.beforeTaskPublish.connect((event) => {
    event.exchange = 'x'
    event.properties['priority'] = 3
    event.declare.push(new Queue('q'))
    event.retryPolicy = null
    // @ts-expect-error who sends what is not changed
    event.sender = 'other'
    // @ts-expect-error nor are the arguments
    event.body = []
  })
  app.signals.afterTaskPublish.connect((event) => {
    // @ts-expect-error it has been sent
    event.exchange = 'x'
  })
}
