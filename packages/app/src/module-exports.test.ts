import { describe, expect, test } from 'vitest'
import { ambiguousApps, findApp } from './find-app.ts'
import { CeleryApp } from './index.ts'
import { exportNames, moduleExports } from './module-exports.ts'

/** What the namespace of a CommonJS module is that was compiled from `import` and `export`. */
function compiled(exports: object): Record<string, unknown> {
  return { default: Object.defineProperty({ ...exports }, '__esModule', { value: true }) }
}

const newApp = () => new CeleryApp('shop', { broker: 'memory://', setAsCurrent: false })

describe('what a module exports', () => {
  test('is what its namespace has', () => {
    const namespace = { default: () => 1, port: 80 }
    expect(moduleExports(namespace)).toBe(namespace)
    const ofOwnClass = { default: new Map([['port', 80]]) }
    expect(moduleExports(ofOwnClass)).toBe(ofOwnClass)
  })

  test('is what it was compiled from: its default is not all of it', () => {
    expect(moduleExports(compiled({ port: 80 }))).toEqual({ port: 80 })
    expect(moduleExports(compiled({ default: 7, port: 80 }))).toEqual({ default: 7, port: 80 })
  })

  test('is also what Node does not see of module.exports', () => {
    const whole = { port: 80, host: 'h' }
    expect(moduleExports({ default: whole, host: 'h' })).toEqual({ default: whole, port: 80, host: 'h' })
    expect(exportNames({ default: whole, 'module.exports': whole }).toSorted()).toEqual(['default', 'host', 'port'])
  })
})

test('an app is found in a CommonJS module, by any name', () => {
  const [app, other] = [newApp(), newApp()]
  expect(findApp(compiled({ add: 1, app }))).toBe(app)
  expect(findApp(compiled({ app: other, shop: app }), 'shop')).toBe(app)
  expect(findApp(compiled({ default: app }))).toBe(app)
  expect(findApp({ default: { app } })).toBe(app)
  expect(findApp({ default: app })).toBe(app)
  expect(findApp(compiled({ app }), 'default')).toBeUndefined()
  expect(ambiguousApps(compiled({ one: app, two: other }))).toEqual(['one', 'two'])
})
