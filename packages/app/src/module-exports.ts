import { isBranded } from './app-brand.ts'

type Exports = Readonly<Record<string, unknown>>

/**
 * What a module exports, by name. A namespace has that, but for CommonJS: there it has all of it as `default`, and by name only
 * what Node sees without running the module.
 */
export function moduleExports(namespace: Exports): Exports {
  const whole = namespace['default']
  if (typeof whole !== 'object' || whole === null || isBranded(whole)) return namespace
  // Compiled from `import` and `export`, by tsx on the way for example: it has a `default` of its own, or none.
  if ('__esModule' in whole && whole.__esModule === true) return whole as Exports
  const prototype: unknown = Object.getPrototypeOf(whole)
  return prototype === Object.prototype || prototype === null ? { ...whole, ...namespace } : namespace
}

/** The names of what a module exports, for people. */
export function exportNames(namespace: Exports): readonly string[] {
  return Object.keys(moduleExports(namespace)).filter((name) => name !== '__esModule' && name !== 'module.exports')
}
