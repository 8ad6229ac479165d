import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { TaskArgumentsError } from '../src/index.ts'
import { testApp } from './test-app.ts'

/** A schema without a library: a list of one number, doubled; slow where it is to be. */
function doubled(slow: boolean) {
  const validate = (value: unknown) => {
    const [n] = value as readonly unknown[]
    if (typeof n !== 'number') return { issues: [{ message: 'expected a number', path: [{ key: 0 }] }] }
    return { value: [n * 2] as [number] }
  }
  return {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) => (slow ? Promise.resolve(validate(value)) : validate(value)),
      types: undefined as { readonly input: [n: number]; readonly output: [n: number] } | undefined,
    },
  }
}

describe.each([
  ['at once', false],
  ['after a while', true],
])('APP-059 a schema of the arguments that answers %s', (_, slow) => {
  test('gives the function what it makes of them, once', async () => {
    const { app, runNext } = await testApp()
    const task = app.task('task', (n) => n, { args: doubled(slow) })
    const result = await task.delay(4)
    expect((await runNext()).state).toBe('SUCCESS')
    expect(await result.get()).toBe(8)
    expect(await task(4)).toBe(8)
    expect(await (await task.apply([4])).get()).toBe(8)
  })

  test('refuses what it does not take before it is sent', async () => {
    const { app, waiting } = await testApp()
    const task = app.task('task', (n) => n, { args: doubled(slow), params: ['n'] })
    const wrong = ['four'] as never
    const problem = "task() got invalid arguments: argument 1 ('n'): expected a number"
    for (const sent of [
      task.delay('four' as never),
      task.applyAsync(wrong),
      task.s('four' as never).delay(),
      task.apply(wrong),
    ]) {
      await expect(sent).rejects.toThrow(new TaskArgumentsError('task', problem.slice('task() '.length)))
    }
    await expect(task.applyAsync([], { kwargs: { n: 'four' as never } })).rejects.toThrow(problem)
    expect(await waiting()).toBe(0)
  })

  test('fails a task that somebody else has sent so, with a TypeError', async () => {
    const { app, runNext } = await testApp()
    const task = app.task('task', (n) => n, { args: doubled(slow), params: ['n'] })
    // By name nothing is checked, as from Python.
    const bad = await app.sendTask(task.taskName, ['four'])
    expect(await runNext()).toMatchObject({
      state: 'FAILURE',
      text: expect.stringContaining('got invalid arguments: argument 1'),
    })
    await expect(bad.get()).rejects.toThrow(TypeError)
    const good = await app.sendTask(task.taskName, [], { kwargs: { n: 3 } })
    await runNext()
    expect(await good.get()).toBe(6)
  })
})

describe('APP-059 with Zod', () => {
  test('validates and converts: what is sent is its input, what the function gets its output', async () => {
    const { app, runNext, take } = await testApp()
    const schema = z.tuple([
      z.object({ name: z.string(), born: z.coerce.date() }),
      z.number().int().default(1).optional(),
    ])
    const task = app.task(
      'people.add',
      ({ name, born }, copies) => `${name} ${born.getUTCFullYear()} ${copies ?? 'no'}`,
      {
        args: schema,
        params: ['person', 'copies?'],
      },
    )
    await task.delay({ name: 'Ada', born: '1815-12-10' }, 2)
    expect((await take()).body.args).toEqual([{ name: 'Ada', born: '1815-12-10' }, 2])
    const result = await task.applyAsync([], { kwargs: { person: { name: 'Ada', born: '1815-12-10' }, copies: 3 } })
    await runNext()
    expect(await result.get()).toBe('Ada 1815 3')
  })

  test('names each argument, and where in it', async () => {
    const { app } = await testApp()
    const schema = z.tuple([z.object({ tags: z.array(z.string()) }), z.number()])
    const task = app.task('t', () => 0, { args: schema })
    const error = await task.applyAsync([{ tags: ['a', 5] }, 'x'] as never).catch(String)
    expect(error).toContain('t() got invalid arguments: argument 1 at .tags[1]: ')
    expect(error).toContain('; argument 2: ')
    await expect(task.applyAsync([{ tags: [] }, 1, 2] as never)).rejects.toThrow(
      't() got invalid arguments: the arguments: ',
    )
  })

  test('tells of a few of many problems', async () => {
    const { app } = await testApp()
    const task = app.task('t', () => 0, { args: z.array(z.number()) })
    const error = await task.applyAsync(Array.from({ length: 1_000 }, () => 'x') as never).catch(String)
    expect(error).toContain('; and 995 more')
    expect(String(error).length).toBeLessThan(1_500)
  })

  test('with a context, and where a step of a chain before gives the arguments', async () => {
    const { app, runNext } = await testApp()
    const args = z.tuple([z.number()]).rest(z.number())
    const sum = app.task('sum', (context, ...n) => [context.request.task, n.reduce((a, b) => a + b, 0)] as const, {
      bind: true,
      args,
    })
    const one = app.task('one', (n: number) => n)
    const text = app.task('text', () => 'text')
    const good = await one.s(1).pipe(sum.s(2, 3)).delay()
    await runNext()
    await runNext()
    expect(await good.get()).toEqual(['sum', 6])
    const bad = await text
      .s()
      .pipe(sum.s() as never)
      .delay()
    await runNext()
    expect((await runNext()).state).toBe('FAILURE')
    await expect(bad.get()).rejects.toThrow('sum() got invalid arguments: argument 1: ')
  })
})

test('APP-059 what is no schema is refused where the task is declared', async () => {
  const { app } = await testApp()
  for (const args of [{}, null, 'z', { '~standard': { version: 2, validate: () => 0 } }]) {
    expect(() => app.task('t', () => 0, { args } as never)).toThrow('the option args of the task "t" must be a schema')
  }
  const task = app.task('list', () => 0, { args: z.any() } as never) as { delay(n: number): Promise<unknown> }
  await expect(task.delay(1)).resolves.toBeDefined()
  const object = app.task('object', () => 0, { args: z.any().transform(() => ({})) } as never) as typeof task
  await expect(object.delay(1)).rejects.toThrow('the schema of the arguments of the task "object" must give a list')
})
