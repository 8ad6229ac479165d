import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matchesGlob, Router } from './router.ts'
import { defaultSettings, type Settings } from './settings.ts'

function router(settings: Partial<Settings> = {}): Router {
  return new Router({ ...defaultSettings, ...settings })
}

const nowhere = { exchange: '', priority: undefined }

describe('a message goes', () => {
  test('to the default queue where nothing else is said', () => {
    expect(router().route('a', {})).toEqual({ ...nowhere, routingKey: 'celery' })
    expect(router({ taskDefaultQueue: 'other' }).route('a', {})).toEqual({ ...nowhere, routingKey: 'other' })
  })

  test('to the queue of the first route that matches', () => {
    const taskRoutes = { 'video.encode': 'gpu', 'video.*': 'video', '*': { queue: 'rest', priority: 2 } }
    const { route } = bindRoute(router({ taskRoutes }))
    expect(route('video.encode').routingKey).toBe('gpu')
    expect(route('video.encode.fast').routingKey).toBe('video')
    expect(route('video.cut').routingKey).toBe('video')
    expect(route('audio.cut')).toEqual({ exchange: '', routingKey: 'rest', priority: 2 })
  })

  test('to the default queue where no route matches, and names like those of objects match none', () => {
    const { route } = bindRoute(router({ taskRoutes: { 'video.*': 'video' } }))
    for (const task of ['audio', 'video', 'constructor', '__proto__']) expect(route(task).routingKey).toBe('celery')
  })

  test('where the call says, whatever the routes say', () => {
    const routes = router({ taskRoutes: { '*': { queue: 'routed', priority: 1 } } })
    expect(routes.route('a', { queue: 'mine' })).toEqual({ ...nowhere, routingKey: 'mine' })
    expect(routes.route('a', { priority: 9 })).toEqual({ exchange: '', routingKey: 'routed', priority: 9 })
  })

  test('through an exchange with its own routing key', () => {
    expect(router().route('a', { exchange: 'x', routingKey: 'k' })).toEqual({
      exchange: 'x',
      routingKey: 'k',
      priority: undefined,
    })
    expect(router().route('a', { exchange: 'x', queue: 'q' })).toEqual({
      exchange: 'x',
      routingKey: 'q',
      priority: undefined,
    })
    expect(router({ taskRoutes: { a: { exchange: 'x', routingKey: 'k' } } }).route('a', {}).exchange).toBe('x')
  })

  test('by a routing key alone to the queue of that name', () => {
    expect(router().route('a', { routingKey: 'k' }).routingKey).toBe('k')
  })

  test('with the default priority where none is given, and 0 is one', () => {
    const routes = router({ taskDefaultPriority: 5 })
    expect(routes.route('a', {}).priority).toBe(5)
    expect(routes.route('a', { priority: 0 }).priority).toBe(0)
  })

  test('by routes that were set after the first message', () => {
    const settings = { ...defaultSettings }
    const routes = new Router(settings)
    expect(routes.route('a', {}).routingKey).toBe('celery')
    settings.taskRoutes = { a: 'one' }
    expect(routes.route('a', {}).routingKey).toBe('one')
    settings.taskRoutes = { a: 'two' }
    expect(routes.route('a', {}).routingKey).toBe('two')
  })
})

describe('a glob', () => {
  test.each([
    ['*', '', true],
    ['*', 'anything', true],
    ['a.*', 'a.b', true],
    ['a.*', 'a.', true],
    ['a.*', 'a', false],
    ['a.*', 'b.a.c', false],
    ['*.add', 'tasks.add', true],
    ['*.add', 'tasks.address', false],
    ['a*c*e', 'abcde', true],
    ['a*c*e', 'abcdef', false],
    ['**a**', 'bab', true],
    ['a.b', 'a.b', true],
    ['a.b', 'axb', false],
    ['[a-z]*', 'a', false],
    ['?*', 'a', false],
    ['é*', 'étude', true],
  ])('%s matches %s: %s', (pattern, text, matches) => {
    expect(matchesGlob(pattern, text)).toBe(matches)
  })

  test('matches as the regular expression does that says the same', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 })
    const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 6 })
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        const regExp = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
        expect(matchesGlob(pattern, text)).toBe(regExp.test(text))
      }),
      { numRuns: 500 },
    )
  })

  test('does not take longer and longer for a text made to', () => {
    // A backtracking regular expression would need longer than there is time.
    const pattern = `${'*a'.repeat(50)}b`
    const before = performance.now()
    expect(matchesGlob(pattern, 'a'.repeat(20_000))).toBe(false)
    expect(performance.now() - before).toBeLessThan(2_000)
  })
})

function bindRoute(routes: Router) {
  return { route: (task: string) => routes.route(task, {}) }
}
