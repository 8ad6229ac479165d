import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type AppOptions, appOrDefault, CeleryApp, currentApp, sharedTask } from '../src/index.ts'
import { testApp } from './test-app.ts'

afterEach(() => vi.unstubAllEnvs())

function newApp(name: string, options: AppOptions = {}): CeleryApp {
  const app = new CeleryApp(name, { notify: () => undefined, ...options })
  onTestFinished(() => app.close())
  return app
}

describe('the current app', () => {
  test('is the last one made, unless that did not want to be', () => {
    const a = newApp('a')
    expect(currentApp()).toBe(a)
    const b = newApp('b')
    newApp('c', { setAsCurrent: false })
    expect(currentApp()).toBe(b)
    a.setCurrent()
    expect(currentApp()).toBe(a)
    expect([appOrDefault(b), appOrDefault()]).toEqual([b, a])
  })

  test('is another one within run(), also after waiting', async () => {
    const [a, b] = [newApp('a'), newApp('b')]
    const seen = await a.run(async () => {
      await Promise.resolve()
      return [currentApp(), b.run(() => currentApp())]
    })
    expect(seen).toEqual([a, b])
    expect(currentApp()).toBe(b)
  })

  test('is the default one when it was closed; without one, it is made', async () => {
    const fallback = newApp('fallback', { setAsCurrent: false })
    const app = newApp('app')
    fallback.setDefault()
    await app.close()
    expect(currentApp()).toBe(fallback)
    await fallback.close()
    const made = currentApp()
    onTestFinished(() => made.close())
    expect(made.main).toBe('default')
    expect(currentApp()).toBe(made)
  })

  test('is refused, or warned of, where the environment asks for it', () => {
    const app = newApp('app')
    vi.stubEnv('C_STRICT_APP', '1')
    expect(() => currentApp()).toThrow('the current app is used where an app should have been handed over')
    expect(appOrDefault(app)).toBe(app)
    vi.stubEnv('C_STRICT_APP', undefined)
    vi.stubEnv('C_WARN_APP', '1')
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue()
    onTestFinished(() => warn.mockRestore())
    expect(currentApp()).toBe(app)
    expect(warn).toHaveBeenCalledOnce()
  })
})

describe('a shared task', () => {
  test('is a task of every app, made before or after, and runs in the current one', async () => {
    const a = await testApp()
    const add = sharedTask('shared.add', (x: number, y: number) => x + y)
    const b = await testApp()
    expect([a.app.tasks.has('shared.add'), b.app.tasks.has('shared.add')]).toEqual([true, true])
    const inB = await add.delay(1, 2)
    const inA = await a.app.run(() => add.s(3).delay(4))
    expect([await a.waiting(), await b.waiting()]).toEqual([1, 1])
    await a.runNext()
    await b.runNext()
    expect([await inA.get({ timeout: 5 }), await inB.get({ timeout: 5 })]).toEqual([7, 3])
    expect([add(2, 2), add.taskName, 'delay' in add]).toEqual([4, 'shared.add', true])
    // @ts-expect-error both are numbers
    await expect(add.delay('1', 2)).resolves.toBeDefined()
    // @ts-expect-error it takes two
    await expect(add.delay(1)).resolves.toBeDefined()
  })

  test("gives way to an app's own task of that name, whichever came first", async () => {
    const before = await testApp()
    before.app.task('shared.own', () => 'own')
    const shared = sharedTask('shared.own', () => 'shared')
    const after = await testApp()
    after.app.task('shared.own', () => 'own too')
    expect([before.app.run(() => shared()), after.app.run(() => shared())]).toEqual(['own', 'own too'])
    expect(() => after.app.task('shared.own', () => 'a third')).toThrow('already registered')
  })
})
