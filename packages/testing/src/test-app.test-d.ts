import { createTestApp, isolateApp } from './index.ts'
import type { TaskRun } from './run-log.ts'

const celery = createTestApp()
const { app } = celery
const add = app.task('add', (x: number, y?: number) => x + (y ?? 0), { params: ['x', 'y?'] })
const bound = app.task('bound', (_context, when: Date) => when.toISOString(), { bind: true })
const remote = app.remote<[url: string], boolean>('remote')

// The arguments of expectations are those of the task.
celery.expectSent(add)
celery.expectSent(add, { args: [1, 2] })
celery.expectSent(add, { args: [1] })
celery.expectSent(add, { kwargs: { y: 2 } })
celery.expectSent(bound, { args: [new Date()] })
celery.expectSent(remote, { args: ['http://a'], queue: 'slow', countdown: 5, expires: 60 })
celery.expectSent('by.name', { args: ['anything', 1], kwargs: { any: 1 } })
// @ts-expect-error add() wants numbers
celery.expectSent(add, { args: ['1', 2] })
// @ts-expect-error it takes two at most
celery.expectSent(add, { args: [1, 2, 3] })
// @ts-expect-error a typo
celery.expectSent(add, { arguments: [1, 2] })
// @ts-expect-error there is no such parameter
celery.expectSent(add, { kwargs: { z: 1 } })
// @ts-expect-error the context is not an argument
celery.expectNotSent(bound, { args: [{}, new Date()] })
// @ts-expect-error a remote task's arguments are known too
celery.expectSent(remote, { args: [1] })
// @ts-expect-error not a task
celery.expectSent((x: number) => x)

// What was sent is typed by the task, and not by what is matched.
const [x, y]: readonly [number, (number | undefined)?] = celery.expectSent(add).args
const urls: readonly string[] = celery.allSent(remote, { queue: 'slow' }).map(({ args: [url] }) => url)
const sent: Promise<{ readonly args: readonly unknown[] }> = celery.untilSent(add, {}, { timeoutMs: 1 })
// @ts-expect-error it is a string
const wrong: number = celery.expectSent(remote).args[0]

// A run has the result of the task.
export async function runs(): Promise<void> {
  const run: TaskRun<number> = await celery.run(add, [1, 2])
  if (run.state === 'SUCCESS') run.result.toFixed()
  if (run.state === 'RETRY') run.error.exc satisfies unknown
  // @ts-expect-error there is no result yet known
  run.result satisfies number
  const text: TaskRun<string> = await celery.run(bound, [new Date()], { retries: 1, queue: 'slow' })
  await celery.run(add, [1], { kwargs: { y: 2 } })
  // @ts-expect-error a wrong argument
  await celery.run(add, ['1'])
  // @ts-expect-error an argument too few
  await celery.run(bound, [])
  // @ts-expect-error there is no such parameter
  await celery.run(add, [1], { kwargs: { z: 2 } })
  // @ts-expect-error a number, in seconds
  await celery.run(add, [1, 2], { countdown: '5' })
  // @ts-expect-error a number of milliseconds
  await celery.advance('10m')
  // @ts-expect-error processes would not be isolated
  await celery.startWorker({ pool: 'prefork' })
  void text
}

// @ts-expect-error a fault that there is not
celery.faults.inject('publish', { type: 'explode' })
// @ts-expect-error a place that there is not
celery.faults.inject('everywhere', { type: 'hang' })
// @ts-expect-error a setting of the wrong type
isolateApp(app, { settings: { taskAcksLate: 'yes' } })

export const used: readonly unknown[] = [x, y, urls, sent, wrong]
