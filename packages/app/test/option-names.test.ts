import { describe, expect, test } from 'vitest'
import { CeleryApp } from '../src/index.ts'
import { testApp } from './test-app.ts'

describe('a slip in the name of an option', () => {
  test.each([
    ['maxRetry', 'maxRetries'],
    ['max_retries', 'maxRetries'],
    ['maxretries', 'maxRetries'],
    ['ack_late', 'acksLate'],
    ['autoRetryFor', 'autoretryFor'],
    ['que', undefined],
    ['flavour', undefined],
  ])('of a task: %s is refused, if it is likely one: %s', async (name, meant) => {
    const { app } = await testApp()
    const declare = (): unknown => app.task('t', () => 0, { [name]: 5 })
    if (meant === undefined) expect(declare).not.toThrow()
    else expect(declare).toThrow(`the task "t" has an option "${name}" that does nothing; did you mean ${meant}?`)
  })

  test.each([
    ['countDown', 'countdown'],
    ['priorty', 'priority'],
    ['time_limit', 'timeLimit'],
    ['link_error', 'linkError'],
    ['taskid', 'taskId'],
  ])('of a call: %s is refused, and %s said', async (name, meant) => {
    const { app, waiting } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const problem = `a call of add has no option "${name}"; did you mean ${meant}?`
    await expect(add.applyAsync([1, 2], { [name]: 5 })).rejects.toThrow(problem)
    await expect(app.sendTask('add', [], { [name]: 5 })).rejects.toThrow(problem)
    await expect(add.apply([1, 2], { [name]: 5 })).rejects.toThrow(problem)
    expect(() => add.s(1, 2).set({ [name]: 5 })).toThrow(problem)
    expect(() => app.signature('add', [], { [name]: 5 })).toThrow(problem)
    expect(await waiting()).toBe(0)
  })

  test('CALL-027 of a call: any other name is a property of the message', async () => {
    const { app, take } = await testApp()
    await app.sendTask('t', [], { appId: 'a', tenant: 5 } as never)
    expect((await take()).properties).toMatchObject({ app_id: 'a', tenant: 5 })
  })

  test.each([
    ['brokr', 'did you mean broker?'],
    ['set_as_current', 'did you mean setAsCurrent?'],
    ['taskSerializer', 'it is a setting: settings: { taskSerializer: … }'],
    ['task_serializer', 'it is a setting: settings: { taskSerializer: … }'],
    ['nonsense', 'it has autofinalize, backend, broker, '],
  ])('of an app: %s: %s', (name, hint) => {
    expect(() => new CeleryApp('slip', { [name]: 'x' })).toThrow(`an app has no option "${name}"; ${hint}`)
  })
})

test('a task without a name is refused with what to write', async () => {
  const { app } = await testApp()
  function resize(): void {}
  expect(() => app.task(resize as never, {} as never)).toThrow("app.task('proj.resize', resize)")
  expect(() => app.task('resize', undefined as never)).toThrow('the task "resize" needs a function after its name')
})

test.each(['', 'a\nb', 'x'.repeat(256)])('%j is no name of a task', async (name) => {
  const { app } = await testApp()
  expect(() => app.task(name, () => 0)).toThrow('the name of a task must be 1 to 255 printable characters, not ')
})
