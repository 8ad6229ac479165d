import { describe, expect, test } from 'vitest'
import { testApp } from './test-app.ts'

describe('TASK-126 a task that can be aborted', () => {
  test('finds out that it is to end, and ends by itself', async () => {
    const { app, runNext } = await testApp()
    const seen: boolean[] = []
    const work = app.task(
      'work',
      async (context) => {
        seen.push(await context.isAborted())
        await app.asyncResult(context.request.id).abort()
        seen.push(await context.isAborted())
        return 'stopped early'
      },
      { bind: true },
    )
    const result = await work.delay()
    await runNext()
    expect([seen, await result.get()]).toEqual([[false, true], 'stopped early'])
  })

  test('is in the state ABORTED until it has ended, and stays as it has ended', async () => {
    const { app, runNext } = await testApp()
    const task = app.task('task', () => 7)
    const result = await task.delay()
    await result.abort()
    expect([await result.state(), await result.ready()]).toEqual(['ABORTED', false])
    await runNext()
    await result.abort()
    const known = app.asyncResult(result.id)
    expect([await known.state(), await known.get()]).toEqual(['SUCCESS', 7])
  })

  test('is that of whoever calls it as a function, and never where nobody keeps results', async () => {
    const { app, runNext } = await testApp()
    const asks = app.task('asks', (context) => context.isAborted(), { bind: true })
    expect(await asks()).toBe(false)
    const outer = app.task(
      'outer',
      async (context) => {
        await app.asyncResult(context.request.id).abort()
        return asks()
      },
      { bind: true },
    )
    const result = await outer.delay()
    await runNext()
    expect(await result.get()).toBe(true)
    const bare = await testApp({ backend: undefined as never })
    const alone = bare.app.task('alone', (context) => context.isAborted(), { bind: true })
    expect(await (await alone.apply([])).get()).toBe(false)
    await expect(bare.app.asyncResult('x').abort()).rejects.toMatchObject({ code: 'ERR_CELERY_NO_BACKEND' })
  })
})
