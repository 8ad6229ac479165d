/** What the compiler says about tasks. Compiled, never run. */
import type { AsyncResult } from '@celery/results'
import { CeleryApp } from './celery-app.ts'
import { currentTask } from './task-context.ts'

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
  const three: number = await add(1, 2)
  // @ts-expect-error not a number
  await add(1, 'two')
  void three
}

// @ts-expect-error params name the parameters of the function, as text
app.task('bad', (x: number) => x, { params: [1] })
